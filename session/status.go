package session

import "time"

// Status is how a client stands.
type Status struct {
	// State of the latest session.
	State State
	// Since is when that state began.
	Since time.Time
	// Err is why the session is over, if it is.
	Err error
	// Session is its id, 0 if none has been granted.
	Session int64
	// Timeout is the session timeout: as asked for, then as granted.
	Timeout time.Duration
	// Server is the one connected last.
	Server string
	// LeaseTime is how long a lease lasts. LeaseRemaining is how long the lease of the latest beat still
	// runs; 0 without one.
	LeaseTime, LeaseRemaining time.Duration
	// Servers tells how each server of the connect string was seen last.
	Servers []ServerStatus
	// Counts are totals over all sessions.
	Counts Counts
	// EphemeralBytes is how much of Config.EphemeralBytes the latest session uses.
	EphemeralBytes int
	// LinesDropped is how many lines Config.Logger, and the Loggers of the client's recipes, have not
	// taken.
	LinesDropped uint64
	// StatesDropped is how many states the subscribers of all sessions have not taken.
	StatesDropped uint64
	// TLSFiles is why Config.TLSFiles could not be read for the latest connection; nil if they could.
	TLSFiles error
}

// ServerStatus is how a server was seen last.
type ServerStatus struct {
	// Addr is host:port as in the connect string.
	Addr string
	// Err is why the last attempt, or the last connection, ended; nil when there was
	// none, and while a connection lasts.
	Err error
	// At is when that was.
	At time.Time
}

// Status returns how the client stands. It never blocks.
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
