package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session/internal/dial"
	"github.com/zkrecipe/zkrecipe/session/internal/lease"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// State is how a session stands.
type State int

const (
	// Connecting: no server has granted the session yet.
	Connecting State = iota
	// Connected: a server answers.
	Connected
	// Suspended: the connection is lost; the session may or may not live on. A
	// running lease keeps running.
	Suspended
	// Lost: the session is over for good.
	Lost
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"connecting", "connected", "suspended", "lost"}[s]
}

const (
	// maxCalls bounds the requests outstanding in one session.
	maxCalls = 1000
	// maxRequest is the largest request: a server refuses more than 1 MiB by default
	// (jute.maxbuffer).
	maxRequest = 1<<20 + 4<<10
	// forever is longer than any loop of a session sleeps anyway.
	forever = time.Hour

	// presumedLost times T without an answer, the session is given up. A session
	// outlives a restart of its ensemble, whatever its length, so giving up early would
	// only make candidates queue up behind their own former znodes; giving up at all is
	// for servers that will never take the session back, as after a restored backup.
	presumedLost = 2
)

// Session is exactly one ZooKeeper session: one session id, on one zk.Conn, never
// revived. It survives changes of connection and of server, and ends once: when it is
// closed, when a server says that it has expired, or when it must be presumed lost.
//
// All methods may be called from any goroutine. Each call returns by the end of its
// context, and when the session ends. Reads are repeated until they are answered;
// writes are sent once, and [OutcomeOf] tells what is known about a failed one.
type Session struct {
	cfg    *Config
	chroot string
	clock  clock.Clock
	log    *slog.Logger
	dialer *dial.Dialer
	zk     *zk.Conn
	closed <-chan zk.Event // closed by zk when its own goroutines have ended

	ctx     context.Context         // ends when the session is over
	end     context.CancelCauseFunc // with the reason
	stopped chan struct{}           // closed when nothing of the session is left running
	wake    chan struct{}           // to run: look again
	slots   chan struct{}           // one for each outstanding call
	calls   sync.WaitGroup          // goroutines of calls

	mu         sync.Mutex // guards what follows; held for moments, never during I/O or calls out
	state      State
	since      time.Time // when state began
	over       bool
	id         int64
	timeout    time.Duration // what is asked for, then the smallest that was granted
	server     string
	connection uint64        // counts handshakes
	conn       *wire.Conn    // the latest connection
	up         chan struct{} // closed while connected
	alive      clock.Instant // when a server last answered
	proof      lease.Proof
	lease      *Lease
	watches    map[string]map[*Watch]struct{}
	holds      []*Hold

	notes []slog.Record // for run to write

	renewalEnded, renewSoon bool // from renewals to run
}

// newSession begins to connect. It ends with parent.
func newSession(parent context.Context, cfg *Config, servers []string, chroot string) (*Session, error) {
	c := clock.From(cfg.Context)
	s := &Session{
		cfg: cfg, chroot: chroot, clock: c, log: cfg.Logger,
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, maxCalls),
		since:   c.Wall(),
		timeout: cfg.Timeout,
		up:      make(chan struct{}),
		watches: map[string]map[*Watch]struct{}{},
	}
	s.ctx, s.end = context.WithCancelCause(parent)
	s.dialer = dial.New(dial.Config{
		Servers: servers, Dial: cfg.Dial, TLS: cfg.TLS, Clock: c,
		Timeout: func() time.Duration { return s.Timeout() / 3 },
	})
	ready := make(chan struct{}) // zk's goroutine must not see s.zk unset
	conn, events, err := zk.Connect([]string{"ensemble"}, cfg.Timeout,
		zk.WithHostProvider(hosts{s.ctx}),
		zk.WithDialer(func(string, string, time.Duration) (net.Conn, error) { <-ready; return s.dial() }),
		zk.WithEventCallback(s.onEvent),
		zk.WithLogger(zkLogger{s.log}), zk.WithLogInfo(false),
		zk.WithMaxConnBufferSize(maxRequest))
	if err != nil {
		return nil, err
	}
	s.zk, s.closed = conn, events
	close(ready)
	go s.run()
	return s, nil
}

// hosts stands in for zk's list of servers: the dialer knows better. Once the session
// is over it lets zk's loop notice that it was closed.
type hosts struct{ ctx context.Context }

func (hosts) Init([]string) error { return nil }
func (hosts) Len() int            { return 1 }
func (hosts) Connected()          {}
func (h hosts) Next() (string, bool) {
	return "ensemble", h.ctx.Err() != nil
}

// zkLogger passes on what zk says, for those who debug.
type zkLogger struct{ log *slog.Logger }

func (l zkLogger) Printf(format string, args ...any) {
	l.log.Debug("zk: " + fmt.Sprintf(format, args...))
}

// dial makes the next connection for zk. It never dials once the session is over, so
// zk cannot open a second session in this Conn.
func (s *Session) dial() (net.Conn, error) {
	conn, server, deadline, err := s.dialer.Next(s.ctx)
	if err != nil {
		if s.ctx.Err() == nil {
			s.log.Debug("cannot connect", "server", server, "err", err)
		}
		return nil, err
	}
	var w *wire.Conn
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		conn.Close()
		return nil, context.Cause(s.ctx)
	}
	w = wire.New(conn, deadline, s.clock, s.cfg.wireAuth(), wire.Hooks{
		Handshaken: func(h wire.Handshake) error { return s.onHandshake(server, w, h) },
		Answered:   s.onAnswered,
		Renewed:    s.onRenewed,
		WantsWatch: s.wantsWatch,
		Failed:     func(err error) { s.onFailed(server, w, err) },
	})
	s.conn = w
	return w, nil
}

// onHandshake takes note of a connect response.
func (s *Session) onHandshake(server string, w *wire.Conn, h wire.Handshake) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return context.Cause(s.ctx)
	case h.SessionID == 0:
		s.finish(ErrExpired)
		return nil // zk is to hear of it too
	case s.id != 0 && s.id != h.SessionID:
		s.finish(fmt.Errorf("%w 0x%x", ErrReplaced, h.SessionID))
		return ErrReplaced
	}
	s.dialer.Succeeded(server)
	if s.id == 0 {
		s.id = h.SessionID
		if h.Timeout != s.timeout {
			s.note(slog.LevelInfo, "session timeout negotiated", "asked", s.timeout, "granted", h.Timeout)
		}
		s.timeout = h.Timeout
	} else if h.Timeout != s.timeout {
		s.note(slog.LevelError, "servers grant different session timeouts: their configurations disagree",
			"server", server, "granted", h.Timeout, "before", s.timeout)
		s.timeout = min(s.timeout, h.Timeout)
	}
	s.server, s.alive = server, s.clock.Now()
	s.proof.Connected(h.Sent, h.Timeout)
	s.proved()
	return nil
}

// onAnswered and onRenewed feed the proof.
func (s *Session) onAnswered(sent, answered clock.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = answered
	s.proof.Answered(sent, answered)
}

func (s *Session) onRenewed(started, ended clock.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proof.Renewed(started, ended)
	s.proved()
}

func (s *Session) wantsWatch(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watches[path]) > 0
}

// onFailed takes note of the end of a connection, or of a handshake.
func (s *Session) onFailed(server string, w *wire.Conn, err error) {
	s.dialer.Failed(server, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == w { // else it is an old one, and its end was noted
		s.proof.Disconnected()
	}
	if errors.Is(err, ErrAuthFailed) {
		s.finish(err)
	}
	s.note(slog.LevelDebug, "connection ended", "server", server, "err", err)
}

// onEvent is zk's callback. It runs on zk's goroutines and must not block.
func (s *Session) onEvent(ev zk.Event) {
	if ev.Type != zk.EventSession {
		s.notify(ev)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
	case ev.State == zk.StateHasSession && s.state != Connected:
		s.connection++
		s.enter(Connected)
		close(s.up)
		s.renewSoon = true
		s.wakeAll() // no watch outlives its connection
	case ev.State == zk.StateExpired:
		s.finish(ErrExpired)
	case ev.State == zk.StateDisconnected && s.state == Connected:
		s.enter(Suspended)
		s.up = make(chan struct{})
	}
}

// enter changes the state. The caller holds s.mu.
func (s *Session) enter(state State) {
	s.state, s.since = state, s.clock.Wall()
	s.note(slog.LevelInfo, "session "+state.String(), "server", s.server, "timeout", s.timeout)
}

// note leaves a line for the log to run, because a logger of the user's must not be
// called under s.mu. The caller holds s.mu.
func (s *Session) note(level slog.Level, msg string, args ...any) {
	r := slog.NewRecord(s.clock.Wall(), level, msg, 0)
	r.Add("session", hex(s.id))
	r.Add(args...)
	s.notes = append(s.notes, r)
	signal(s.wake)
}

// writeNotes writes what note has left.
func (s *Session) writeNotes() {
	s.mu.Lock()
	notes := s.notes
	s.notes = nil
	s.mu.Unlock()
	for _, r := range notes {
		if h := s.log.Handler(); h.Enabled(context.Background(), r.Level) {
			h.Handle(context.Background(), r)
		}
	}
}

// finish ends the session, the first time. The caller holds s.mu.
func (s *Session) finish(reason error) {
	if s.over {
		return
	}
	s.over = true
	if s.lease != nil {
		s.lease.end()
	}
	s.state, s.since = Lost, s.clock.Wall()
	s.note(slog.LevelInfo, "session over", "reason", reason)
	s.end(reason)
	s.wakeAll()
}

// drop gives up the present connection; zk goes on to the next server.
func (s *Session) drop(reason error) {
	s.mu.Lock()
	conn, connected := s.conn, s.state == Connected
	s.mu.Unlock()
	if connected {
		s.log.Info("giving up a connection", "session", hex(s.ID()), "server", conn.RemoteAddr(), "reason", reason)
		conn.CloseWith(reason)
	}
}

// run is the session's own goroutine: whatever happens because time passes.
func (s *Session) run() {
	defer close(s.stopped)
	timer := clock.NewTimer(s.clock)
	defer timer.Stop()
	var r renewals
	for {
		s.writeNotes()
		now := s.clock.Now()
		timer.Reset(min(s.watchdog(now), s.renew(now, &r)))
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

// watchdog gives up a silent connection, and a session that nobody answers for. It
// returns after what time to look again.
func (s *Session) watchdog(now clock.Instant) time.Duration {
	s.mu.Lock()
	T, state, conn, alive := s.timeout, s.state, s.conn, s.alive
	s.mu.Unlock()
	switch state {
	case Connected:
		// zk takes any byte for a sign of life; here only answers count.
		if conn.Silence(now) >= T*2/3 {
			s.drop(errSilent)
		}
		return T / 6
	case Suspended:
		age := now.Sub(alive)
		if age < presumedLost*T {
			return presumedLost*T - age
		}
		s.mu.Lock()
		if s.alive == alive {
			s.finish(ErrPresumedLost)
		}
		s.mu.Unlock()
	}
	return forever
}

// shutdown takes everything down: zk.Conn with a goodbye to the server if the session
// was closed on purpose, or at once.
func (s *Session) shutdown() {
	s.mu.Lock()
	s.finish(context.Cause(s.ctx)) // when a parent context ended it
	conn := s.conn
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() { s.zk.Close(); close(closed) }() // takes a second or three when nobody answers
	if errors.Is(context.Cause(s.ctx), ErrClosed) {
		<-closed
	}
	if conn != nil {
		conn.CloseWith(context.Cause(s.ctx))
	}
	<-closed
	for range s.closed {
	}
	s.calls.Wait()
	s.writeNotes()
}

// Close ends the session: its lease lapses, calls return, and the server is told,
// which deletes the session's ephemeral znodes at once. A suspended session is given
// T/3 to reconnect for that. The client opens another session. Close waits until
// nothing of the session is left running: a few seconds at most, when no server answers.
func (s *Session) Close() {
	s.mu.Lock()
	up, patience := s.up, s.timeout/3
	if s.state != Suspended {
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

// ID returns the session id, or zero before the first connection.
func (s *Session) ID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Timeout returns T: the smallest session timeout that was ever granted, or the one
// asked for before the first connection.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// State returns how the session stands.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns why the session is over, or nil while it is not.
func (s *Session) Err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.ctx)
}

// ACL returns what znodes are created with by default.
func (s *Session) ACL() []zk.ACL { return s.cfg.ACL }

func hex(id int64) string { return fmt.Sprintf("0x%x", uint64(id)) }
