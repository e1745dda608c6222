package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// hosts replaces zk's list of servers, because the dialer chooses the server. Once the session is
// over, Next lets zk's loop notice that it was closed.
type hosts struct{ ctx context.Context }

func (hosts) Init([]string) error { return nil }
func (hosts) Len() int            { return 1 }
func (hosts) Connected()          {}
func (h hosts) Next() (string, bool) {
	return "ensemble", h.ctx.Err() != nil
}

// zkLogger logs what zk reports, at the level for debugging.
type zkLogger struct{ log *slog.Logger }

func (l zkLogger) Printf(format string, args ...any) {
	l.log.Debug("zk: " + fmt.Sprintf(format, args...))
}

// dial makes the next connection for zk. It never dials once the session is over, so zk cannot open
// a second session in this Conn.
func (s *Session) dial() (net.Conn, error) {
	s.mu.Lock()
	s.attempts++
	s.mu.Unlock()
	conn, server, deadline, err := s.dialer.Next(s.ctx)
	if err != nil {
		if s.ctx.Err() == nil {
			s.log.Debug("cannot connect", "server", server, "err", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.countLate(deadline)
		return nil, err
	}
	exchange, err := s.beginExchange(server, deadline)
	if err != nil {
		conn.Close()
		s.onFailed(server, deadline, err)
		return nil, err
	}
	s.mu.Lock()
	zxid := s.latestZxid()
	s.mu.Unlock()
	w := wire.New(conn, deadline, zxid, s.clock, wire.Credentials{SASL: exchange, Auth: s.cfg.wireAuth()}, wire.Hooks{
		Handshaken: func(h wire.Handshake) error { return s.onHandshake(server, h) },
		Answered:   s.onAnswered,
		Event:      s.notify,
		WantsWatch: s.wantsWatch,
		Failed:     func(err error) { s.onFailed(server, deadline, err) },
	})
	s.mu.Lock()
	over := s.over
	if !over {
		s.conn = w // from now on shutdown closes it
	}
	s.mu.Unlock()
	if over {
		w.Close()
		return nil, context.Cause(s.ctx)
	}
	return w, nil
}

// link is one connection, with what is known of it.
type link struct {
	conn   *wire.Conn
	number uint64 // as in Session.connection
	server string
}

// link returns the present connection. The caller holds s.mu.
func (s *Session) link() link { return link{s.conn, s.connection, s.server} }

// logServers logs what is wrong with each server. It does so after 1, 2, 4, 8, ... rounds of
// attempts at all servers have failed.
func (s *Session) logServers(rounds int) {
	if rounds&(rounds-1) != 0 {
		return
	}
	servers := s.dialer.Servers()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(slog.LevelWarn, "no server can be used", "servers", describe(servers))
}

// onHandshake handles a connect response.
func (s *Session) onHandshake(server string, h wire.Handshake) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return context.Cause(s.ctx)
	case h.SessionID == 0:
		// An ensemble keeps a session for T after it has heard from the client. If a server does
		// not know the session before that time is over, then somebody has closed the session, or
		// the ensemble has never known it.
		if age := s.clock.Now().Sub(s.alive); s.id != 0 && age < s.timeout/2 {
			s.note(slog.LevelWarn, "a server does not know this session, which has just been in use: do all servers of the connect string belong to one ensemble?",
				"server", server, "used", s.server, "before", age)
		}
		s.finish(ErrExpired)
		return nil // zk must learn of it, too
	case s.id != 0 && s.id != h.SessionID:
		s.finish(fmt.Errorf("%w 0x%x", ErrReplaced, h.SessionID))
		return ErrReplaced
	}
	s.dialer.Succeeded(server)
	if s.id == 0 {
		s.id = h.SessionID
		s.counts.sessions.Add(1)
		if h.Timeout != s.timeout {
			s.note(slog.LevelInfo, "session timeout negotiated", "asked", s.timeout, "granted", h.Timeout)
		}
		s.timeout = h.Timeout
		if s.leaseTime > h.Timeout/2 {
			s.note(slog.LevelWarn, "the lease is cut to half of the session timeout granted", "asked", s.leaseTime, "granted", h.Timeout)
			s.leaseTime = h.Timeout / 2
		}
	} else {
		s.counts.reconnects.Add(1)
		if h.Timeout != s.timeout {
			s.note(slog.LevelError, "servers grant different session timeouts: their configurations disagree",
				"server", server, "granted", h.Timeout, "before", s.timeout)
			s.timeout = min(s.timeout, h.Timeout)
		}
	}
	s.server, s.alive, s.attempts, s.late = server, s.clock.Now(), 0, 0
	return nil
}

// onAnswered notes when the server last answered.
func (s *Session) onAnswered(at clock.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = at
}

// countLate counts a failed attempt if its time was over. An attempt that is refused at once is not
// counted, because it tells nothing about how long a handshake takes. The caller holds s.mu.
func (s *Session) countLate(deadline time.Time) {
	if !time.Now().Before(deadline) {
		s.late++
	}
}

// onFailed handles the end of a connection or of a handshake.
func (s *Session) onFailed(server string, deadline time.Time, err error) {
	s.dialer.Failed(server, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts > 0 { // if not, the handshake is over, and its deadline no longer counts
		s.countLate(deadline)
	}
	s.lostBy = err
	switch {
	case errors.Is(err, ErrAuthFailed):
		s.finish(err)
	case errors.Is(err, wire.ErrRefused):
		s.saslRefused(server, err)
	}
	s.note(slog.LevelDebug, "connection ended", "server", server, "err", err)
}

// onEvent is zk's callback. It gets what zk reports of the session and of the connection, and no
// watch events. It runs in zk's goroutines and must not block.
func (s *Session) onEvent(ev zk.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
	case ev.State == zk.StateHasSession && s.state != StateConnected:
		for _, w := range s.trees {
			w.broken()
		}
		s.connection++
		s.leftovers = leftovers{removing: s.leftovers.removing}
		clear(s.roots)
		s.refusals.clear()
		s.enter(StateConnected)
		close(s.up)
		s.beatSoon = true
		s.wakeAll() // no watch outlives its connection
	case ev.State == zk.StateExpired:
		s.finish(ErrExpired)
	case ev.State == zk.StateDisconnected && s.state == StateConnected:
		s.enter(StateSuspended)
		s.up = make(chan struct{})
		s.wakeAll()
	}
}

// enter changes the state. The caller holds s.mu.
func (s *Session) enter(state State) {
	s.state, s.since = state, s.clock.Wall()
	notify.Signal(s.wake)
	s.states.Send(s.state)
	s.note(slog.LevelInfo, "session "+state.String(), "server", s.server, "timeout", s.timeout)
}
