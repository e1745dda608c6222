package zktest

import "time"

// submit is where a server takes a request of its own client. Every request is a sign of life,
// here; on a follower the leader learns of it by the next ping reply.
func (s *server) submit(r *request) {
	if s.stalls(r) {
		return
	}
	if !s.heardFrom(r.session, r.conn.timeout) && r.op != OpCreateSession {
		return // the session is over: its connection is about to be closed
	}
	s.process(r)
}

// heardFrom notes a sign of life of a session's client.
func (s *server) heardFrom(session int64, timeout time.Duration) bool {
	if s.lead != nil {
		return s.lead.touch(session, timeout)
	}
	s.touched[session] = timeout
	return true
}

// stalls tells whether the thread that touches sessions stops at r, or has stopped before it.
func (s *server) stalls(r *request) bool {
	lost := r.verdict.kind == loseTouch && s.lead == nil
	if lost || len(s.stalled) > 0 {
		s.stalled = append(s.stalled, r)
		return true
	}
	return false
}

// snapshot returns the sessions heard from since it was called before. The thread that has stopped
// in between goes on: its touch goes into the table that has been sent.
func (s *server) snapshot() map[int64]time.Duration {
	touched, stalled := s.touched, s.stalled
	s.touched, s.stalled = map[int64]time.Duration{}, nil
	for i, r := range stalled {
		if i > 0 {
			s.submit(r)
			continue
		}
		s.e.logf("fault: server %d loses a touch of session 0x%x", s.id, r.session)
		s.process(r)
	}
	return touched
}
