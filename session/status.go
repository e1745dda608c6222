package session

import "time"

// Status is the status of a client.
type Status struct {
	// State of the latest session.
	State State
	// Since is when that state began.
	Since time.Time
	// Err is why the session is over, if it is.
	Err error
	// Session is its id, 0 if none has been granted.
	Session int64
	// Timeout is the session timeout: first as asked for, then as granted.
	Timeout time.Duration
	// Server is the server that was connected last.
	Server string
	// LeaseTime is how long a lease lasts. LeaseRemaining is how long the lease of the latest beat
	// still runs; 0 if none runs.
	LeaseTime, LeaseRemaining time.Duration
	// Servers has the status of each server of the connect string.
	Servers []ServerStatus
	// Counts are totals over all sessions.
	Counts Counts
	// EphemeralBytes is how much of Config.EphemeralBytes the latest session uses.
	EphemeralBytes int
	// LinesDropped is how many lines were dropped because Config.Logger, or the Loggers of the
	// client's recipes, were too slow.
	LinesDropped uint64
	// StatesDropped is how many states were dropped because subscribers were too slow, of all
	// sessions together.
	StatesDropped uint64
	// TLSFiles is why Config.TLSFiles could not be read for the latest connection; nil if they
	// could.
	TLSFiles error
}

// ServerStatus is the status of a server: its last failure.
type ServerStatus struct {
	// Addr is host:port as in the connect string.
	Addr string
	// Err is why the last attempt or connection ended. It is nil if there was none, and while a
	// connection lasts.
	Err error
	// At is when that happened.
	At time.Time
}

// Status returns the client's status. It never blocks.
func (c *Client) Status() Status {
	c.mu.Lock()
	s, err := c.latest, c.err
	c.mu.Unlock()
	if s == nil {
		st := Status{LinesDropped: c.log.Dropped(), TLSFiles: c.certs.broken(), Timeout: c.cfg.Timeout, LeaseTime: c.cfg.Lease, Err: err}
		for _, addr := range c.servers {
			st.Servers = append(st.Servers, ServerStatus{Addr: addr})
		}
		return st
	}
	st := s.status()
	st.LinesDropped, st.TLSFiles = c.log.Dropped(), c.certs.broken()
	return st
}

func (s *Session) status() Status {
	s.mu.Lock()
	st := Status{State: s.state, Since: s.since, Session: s.id, Timeout: s.timeout, LeaseTime: s.leaseTime, Server: s.server, EphemeralBytes: s.ephemerals.bytes}
	if !s.over {
		st.LeaseRemaining = max(s.heart.until.Until(s.clock.Now()), 0)
	}
	s.mu.Unlock()
	st.Err, st.Counts, st.StatesDropped = s.Err(), s.counts.read(), s.statesDropped.Load()
	for _, d := range s.dialer.Servers() {
		st.Servers = append(st.Servers, ServerStatus(d))
	}
	return st
}
