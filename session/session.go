package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/session/internal/dial"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// State is the state of a session.
type State int

const (
	// StateConnecting: no server has granted the session yet.
	StateConnecting State = iota
	// StateConnected: a server answers.
	StateConnected
	// StateSuspended: the connection is lost. Perhaps the session still exists, perhaps not. A
	// running lease keeps running.
	StateSuspended
	// StateLost: the session is over for good.
	StateLost
)

// String returns the state in lower case.
func (s State) String() string {
	return enum.Name(s, []string{"connecting", "connected", "suspended", "lost"})
}

const (
	// maxCalls bounds the calls that are outstanding in one session. Beats, and reads by
	// AskChildren and AskData, are not counted.
	maxCalls = 1000
	// maxRequest is the largest request. By default a server closes the connection when a request
	// is longer (jute.maxbuffer, 0xfffff).
	maxRequest = 1<<20 - 1
	// zkBuffer is the size of zk's two buffers, for pings and the close and for their answers. By
	// default each has 1.5 MiB.
	zkBuffer = 256
	// maxPath bounds paths, so that a request without data is always much smaller than maxRequest.
	maxPath = 64 << 10
	// forever is longer than any loop of a session ever sleeps.
	forever = time.Hour

	// A session is given up after presumedLost times T without an answer. It is not given up
	// earlier: it outlives a restart of its ensemble, even a long one, and after an early end the
	// candidates would wait behind their own former znodes. It is given up in the end because some
	// servers never accept the session again, for example those of a restored backup.
	presumedLost = 2
)

// Session is exactly one ZooKeeper session: one session id, on one zk.Conn, never revived. It
// survives changes of connection and of server. It ends once: when it is closed, when a server says
// that it has expired, or when it must be presumed lost.
//
// All methods may be called from any goroutine. Each call returns by the end of its context, and
// when the session ends. Reads are repeated until they are answered; writes are sent once, and
// [OutcomeOf] tells what is known about a failed one.
type Session struct {
	*common
	clock  clock.Clock
	log    *slog.Logger
	dialer *dial.Dialer
	zk     *zk.Conn
	closed <-chan zk.Event // closed by zk when its own goroutines have ended

	ctx     context.Context         // ends when the session is over
	end     context.CancelCauseFunc // with the reason
	stopped chan struct{}           // closed when nothing of the session is left running
	wake    chan struct{}           // tells run to look again
	slots   chan struct{}           // one for each outstanding call
	calls   sync.WaitGroup          // what shutdown waits for
	settle  chan struct{}           // held by setWatches, addWatch and removeWatches

	order sync.Mutex // held while a beat or a fenced multi gets its version and is sent; sending does not wait

	mu         sync.Mutex // guards what follows; held for moments, never during I/O or calls out
	state      State
	since      time.Time // when state began
	over       bool
	id         int64
	timeout    time.Duration // the one asked for, then the smallest that was granted
	server     string
	connection uint64        // counts handshakes
	conn       *wire.Conn    // the latest connection
	dropped    *wire.Conn    // the latest that was given up
	lostBy     error         // why the latest connection ended
	up         chan struct{} // closed while connected
	alive      clock.Instant // when a server last answered
	leaseTime  time.Duration // D
	heart      heartbeat
	sources    map[int64]*source // by the session that is listened to
	watches    map[string]map[*Watch]struct{}
	notices    map[string]map[*Watch]struct{} // by the znode whose creation is the notice
	noNotice   bool                           // giving notice was refused
	noRemoval  uint64                         // the latest connection whose server does not remove watches
	trees      []*TreeWatch
	leftovers  leftovers
	roots      map[string]uint64 // by path: the connection on which a watch on the whole tree was asked for
	age        age
	holds      []*Hold
	attempts   int // to connect, since the last handshake
	late       int // attempts of these that ran out of time
	ephemerals ephemerals
	creates    batcher
	deletes    batcher

	pace       pace
	beating    bool // a beat is under way
	beatSoon   bool // the next is due at once
	beatAgain  bool // the latest was refused because of one place or create: the next, without creates, is due at once
	beatFailed bool // the latest failed, and not because of one place or create
	turn       int  // index in holds of the first place that the next beat checks

	creating  *beatCreates                 // creates that the next beat carries; it begins at once
	noCreates int                          // how many callers want beats without creates
	fences    map[chan<- struct{}]struct{} // gets a signal after each beat; see Fence

	heartLock chan struct{} // held while the heartbeat is created
	states    *feed.Feed[State]
}

// newSession begins to connect. It ends with parent.
func newSession(parent context.Context, common *common) (*Session, error) {
	cfg := &common.cfg
	c := clock.From(cfg.Context)
	s := &Session{
		common: common, clock: c, log: cfg.Logger,
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, maxCalls),
		since:   c.Wall(),
		timeout: cfg.Timeout, leaseTime: cfg.Lease,
		up:        make(chan struct{}),
		settle:    make(chan struct{}, 1),
		watches:   map[string]map[*Watch]struct{}{},
		roots:     map[string]uint64{},
		notices:   map[string]map[*Watch]struct{}{},
		sources:   map[int64]*source{},
		fences:    map[chan<- struct{}]struct{}{},
		heartLock: make(chan struct{}, 1),
		states:    feed.NewCounted[State](nil, maxStates, &common.statesDropped),
	}
	s.creates, s.deletes = batcher{s: s, multi: s.FencedMulti}, batcher{s: s, multi: s.Multi}
	s.ctx, s.end = context.WithCancelCause(parent)
	dials := dial.Config{Servers: common.servers, Dial: cfg.Dial, Clock: c, Timeout: s.patience, Pause: s.pause, RoundFailed: s.logServers, Names: common.names}
	if common.certs != nil {
		dials.TLS = common.certs.current
	}
	s.dialer = dial.New(dials)
	ready := make(chan struct{}) // zk's goroutine must not see s.zk unset
	conn, events, err := zk.Connect([]string{"ensemble"}, cfg.Timeout,
		zk.WithHostProvider(hosts{s.ctx}),
		zk.WithDialer(func(string, string, time.Duration) (net.Conn, error) { <-ready; return s.dial() }),
		zk.WithEventCallback(s.onEvent),
		zk.WithLogger(zkLogger{s.log}), zk.WithLogInfo(false),
		zk.WithMaxConnBufferSize(zkBuffer), zk.WithMaxBufferSize(zkBuffer))
	if err != nil {
		s.end(err)
		return nil, err
	}
	s.zk, s.closed = conn, events
	close(ready)
	go s.run()
	return s, nil
}

// finish ends the session, the first time. The caller holds s.mu.
func (s *Session) finish(reason error) {
	if s.over {
		return
	}
	s.over = true
	if s.id != 0 && !errors.Is(reason, ErrClosed) {
		s.counts.lost.Add(1)
	}
	s.state, s.since = StateLost, s.clock.Wall()
	s.refuseCreates(errAgain) // which fails, because the session is over
	s.note(slog.LevelInfo, "session over", "reason", reason)
	s.end(reason) // first: a caller that sees that the lease is over can ask why
	s.states.Send(StateLost)
	for _, h := range s.holds {
		if h.lease != nil {
			h.lease.end()
		}
	}
	s.wakeAll()
}

// patience returns how long an attempt at one of n servers may take. A round of n attempts may take
// T. While a lease runs, it may take D/2, so that the lease is not lost because of servers that do
// not answer. An attempt takes at most a quarter of that. The bound doubles each time that n
// attempts have run out of time, up to T: a handshake may really take that long.
//
// But a handshake may also never be answered: if a follower validates several handshakes of one
// session at the same time, it answers only the one that it has read last
// (Learner.pendingRevalidations). The session may have given up that one while the server stood
// still: afterwards the server reads its connections in any order. So a session that holds places,
// and has no lease any more, waits no longer than the time since a server last answered. It must
// connect soon after the servers can be used again.
func (s *Session) patience(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, parts := s.clock.Now(), time.Duration(max(n, 4))
	short, d := min(s.leaseTime/dialRound, s.timeout)/parts, s.timeout/parts
	runs := !s.heart.until.Passed(now)
	if runs {
		d = short
	}
	for range min(s.late/max(n, 1), 10) {
		d *= 2
	}
	d = min(d, s.timeout)
	if held, _ := s.heldPlaces(); held && !runs {
		d = min(d, max(now.Sub(s.alive), short))
	}
	return d
}

// pause bounds the time between two rounds of attempts that have failed. A session that holds
// places must connect soon after its servers can be used again.
func (s *Session) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, _ := s.heldPlaces(); held {
		return s.leaseTime / dialPause
	}
	return s.timeout / 12
}

// note writes a line to the log, which never blocks. The caller holds s.mu.
func (s *Session) note(level slog.Level, msg string, args ...any) {
	s.log.Log(context.Background(), level, msg, append([]any{"session", feed.Hex(s.id)}, args...)...)
}

// ID returns the session id, or zero before the first connection.
func (s *Session) ID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Timeout returns T: the smallest session timeout that was ever granted. Before the first
// connection it returns the one asked for.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// State returns the session's state.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// maxStates bounds the states that wait for a slow subscriber.
const maxStates = 100

// Subscribe calls f with every change of state from now on, until stop is called: in order and one
// at a time, from a goroutine of its own. f may block, and may call anything of this library. A
// panic in f ends the process. StateLost is the last state. Up to 100 states wait for f. Further
// states, even StateLost, are dropped, and counted in [Status.StatesDropped]. Nothing waits for f:
// it may still run when stop or Close has returned.
func (s *Session) Subscribe(f func(State)) (stop func()) { return s.states.Subscribe(f) }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns why the session is over, or nil while it is not.
func (s *Session) Err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.ctx)
}

// ACL returns the default ACL of created znodes.
func (s *Session) ACL() []zk.ACL { return s.cfg.ACL }
