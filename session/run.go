package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// drop gives up a connection if it is still the present one. Then zk connects to the next server.
func (s *Session) drop(conn *wire.Conn, reason error) {
	s.mu.Lock()
	present := s.conn == conn && s.state == StateConnected && s.dropped != conn
	if present {
		s.dropped = conn // once: zk takes a moment to notice
		s.note(slog.LevelInfo, "giving up a connection", "server", s.server, "reason", reason)
	}
	s.mu.Unlock()
	if present {
		conn.CloseWith(reason)
	}
}

// run is the session's own goroutine. It does what is due at certain times, and the shutdown. It
// writes nothing itself: if a write to a connection hangs, run has to give the connection up.
func (s *Session) run() {
	defer close(s.stopped)
	timer := clock.NewTimer(s.clock)
	defer timer.Stop()
	for {
		send, wait := s.beat()
		if send != nil {
			s.start(send)
		}
		timer.Reset(min(s.watchdog(s.clock.Now()), wait))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.ctx.Done():
			s.shutdown()
			return
		}
	}
}

var errSilent = errors.New("the server went silent")

// watchdog gives up a silent connection, and a session for which no server answers. It returns how
// long to wait before the next call.
func (s *Session) watchdog(now clock.Instant) time.Duration {
	s.mu.Lock()
	T, state, conn, alive := s.timeout, s.state, s.conn, s.alive
	s.mu.Unlock()
	switch state {
	case StateConnected:
		// For zk, any byte proves that the server is alive. Here only answers count. A ping is sent
		// every T/3, so at this limit a ping has been unanswered for T/3.
		quiet, owing := conn.Silence(now)
		if owing && quiet >= T*2/3 {
			s.drop(conn, errSilent)
			return forever
		}
		return max(T*2/3-quiet, T/24)
	case StateSuspended:
		age := now.Sub(alive)
		if age < presumedLost*T {
			return presumedLost*T - age
		}
		s.mu.Lock()
		if s.alive == alive && s.state == StateSuspended {
			s.finish(ErrPresumedLost)
		}
		s.mu.Unlock()
	}
	return forever
}

// abandonAfter is how long a shutdown waits for a zk.Conn without a socket to end.
const abandonAfter = 5 * time.Second

// shutdown ends all that belongs to the session. Unless no server knows the session or answers, it
// closes the session at the server, which deletes the session's ephemeral znodes.
func (s *Session) shutdown() {
	s.mu.Lock()
	s.finish(context.Cause(s.ctx)) // if a parent context has ended it
	conn := s.conn
	s.mu.Unlock()
	reason := context.Cause(s.ctx)
	tellServer := !errors.Is(reason, ErrExpired) && !errors.Is(reason, ErrReplaced) && !errors.Is(reason, ErrPresumedLost)
	quit := make(chan struct{})
	go func() { s.zk.Close(); close(quit) }() // takes one to three seconds if no server answers
	if tellServer {
		<-quit
	}
	if conn != nil {
		conn.CloseWith(reason)
	}
	<-quit
	s.awaitZK()
	s.calls.Wait()
}

// awaitZK waits for zk's own goroutines. As far as we know, they end when the socket is closed. If
// they do not, the session's own goroutine must end all the same.
func (s *Session) awaitZK() {
	timer := clock.NewTimer(s.clock)
	defer timer.Stop()
	timer.Reset(abandonAfter)
	for {
		select {
		case _, more := <-s.closed:
			if !more {
				return
			}
		case <-timer.C:
			s.log.Error("abandoning a ZooKeeper connection that does not end", "session", feed.Hex(s.ID()))
			return
		}
	}
}

// Close ends the session: its lease lapses, and calls return. The session is closed at the server,
// which deletes its ephemeral znodes at once. For that, a suspended session gets T/3 to reconnect.
// The client opens another session. Close waits until nothing of the session is left running. If no
// server answers, that takes a few seconds at most.
func (s *Session) Close() {
	s.mu.Lock()
	up, patience := s.up, s.timeout/3
	if s.state != StateSuspended {
		patience = 0
	}
	s.mu.Unlock()
	if patience > 0 {
		ctx, cancel := clock.WithTimeout(s.ctx, s.clock, patience)
		select {
		case <-up:
		case <-ctx.Done():
		}
		cancel()
	}
	s.mu.Lock()
	s.finish(ErrClosed)
	s.mu.Unlock()
	<-s.stopped
}
