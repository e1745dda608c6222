package session

// FindOwn lets a test look for the znode of an attempt of its own making.
func (s *Session) FindOwn(dir, prefix string) (string, error) { return s.findOwn(dir, prefix) }

// CodeError is the error that a server's code is turned into.
var CodeError = codeError

// QueuedRemovals returns how many removals wait for the one under way.
func (s *Session) QueuedRemovals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.deletes.pending)
}

// QueuedCreations returns how many protected creates wait for the one under way.
func (s *Session) QueuedCreations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.creates.pending)
}
