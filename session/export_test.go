package session

import "github.com/go-zookeeper/zk"

// Revoke returns the operation by which a takeover revokes a heartbeat.
func (h Heartbeat) Revoke() *zk.SetDataRequest {
	h.State = HeartbeatSilent
	return h.proof()[0].(*zk.SetDataRequest)
}

// Restart counts the silence from the start again.
func (l *Listener) Restart(heard Heartbeat) { l.restart(heard, true) }

// FindOwn lets a test look for the znode of an attempt that the test has made itself.
func (s *Session) FindOwn(dir, prefix string) (string, error) { return s.findOwn(dir, prefix) }

// CodeError returns the error for a code in a server's answer.
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
