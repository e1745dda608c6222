package zktest

// isHeld tells whether r has to wait for the thread that takes the requests of clients.
func (s *server) isHeld(r *request) bool {
	if s.holding {
		s.held = append(s.held, r)
	}
	return s.holding
}

// pass is what that thread of a follower does with a request.
func (s *server) pass(r *request) {
	s.enqueue(r)
	s.forward(r)
}

// letGo lets the thread go on, in the server's process: what has come before is before what comes
// after. Threads of former times, see abandon, can only forward what they have. They forward it to
// the leader of now, if there is one.
func (s *server) letGo() {
	n := s.holds
	s.post(func() {
		if s.holds != n {
			return // it was stopped again
		}
		held, taken := s.held, s.taken
		s.holding, s.held, s.taken = false, nil, nil
		for _, r := range taken {
			if s.serving && s.peer != nil && r.op.isWrite() {
				s.forward(r)
			}
		}
		for _, r := range held {
			s.pass(r)
		}
	})
}

// abandon leaves a thread behind that stands still, with the request that it has taken. When the
// server serves again, it has another thread.
func (s *server) abandon() {
	if len(s.held) > 0 {
		s.taken = append(s.taken, s.held[0])
		s.holding, s.held = false, nil
	}
}
