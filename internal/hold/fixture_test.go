package hold

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
)

const tick = 500 * time.Millisecond

// patience is the timeout of sessions that are not to expire.
const patience = time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	if err := ensemble.CloseShared(); err != nil {
		code = max(code, 1)
	}
	os.Exit(code)
}

// fixture is a real ensemble, one server of it with a debugger, and a path of the test's own.
type fixture struct {
	*testing.T
	ctx    context.Context
	all    *ensemble.Ensemble
	server *ensemble.Server // the one in which something is held
	vm     *VM
	node   string
	others []*zk.Conn // at the other servers
	here   *zk.Conn   // at that one
	asked  chan error // a request at that server
}

// newFixture finds a server in a mode and attaches to it.
func newFixture(t *testing.T, mode string) *fixture {
	// The servers tolerate a thread that stands still for much longer than it has to here: a busy
	// machine is slow.
	all := ensemble.Shared(t, ensemble.Config{Debug: true, Tick: tick, SyncLimit: 80, MaxSessionTimeout: patience})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &fixture{T: t, ctx: ctx, all: all, node: stage.Path(t)}
	if s.all.External() {
		t.Skip("SKIP: the servers are somebody else's")
	}
	var err error
	if mode == "leader" {
		s.server, err = s.all.Leader(ctx)
	} else {
		s.server, err = s.all.Follower(ctx)
	}
	s.must(err)
	for _, server := range s.all.Servers() {
		conn := s.connect(server.Addr(), patience)
		if server == s.server {
			s.here = conn
		} else {
			s.others = append(s.others, conn)
		}
	}
	s.vm, err = Attach(ctx, Address(s.server.DebugAddr()))
	s.must(err)
	t.Cleanup(func() { s.vm.Close() })
	return s
}

func (s *fixture) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// connect returns a connection that has a session.
func (s *fixture) connect(addr string, timeout time.Duration) *zk.Conn {
	s.Helper()
	conn, events, err := zk.Connect([]string{addr}, timeout, zk.WithLogger(silent{}))
	s.must(err)
	s.Cleanup(conn.Close)
	for {
		select {
		case ev := <-events:
			if ev.State == zk.StateHasSession {
				return conn
			}
		case <-s.ctx.Done():
			s.Fatalf("no session at %s", addr)
		}
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// write creates the node through another server, which must succeed.
func (s *fixture) write() {
	s.Helper()
	_, err := s.others[0].Create(s.node, nil, 0, zk.WorldACL(zk.PermAll))
	s.must(err)
}

// shows asks a server whether the node is there, and sets a watch.
func (s *fixture) shows(conn *zk.Conn, want bool) <-chan zk.Event {
	s.Helper()
	there, _, events, err := conn.ExistsW(s.node)
	s.must(err)
	if there != want {
		s.Errorf("the node is there: %v, want %v", there, want)
	}
	return events
}

// nothing demands that nothing comes for some ticks.
func nothing[E any](s *fixture, from <-chan E) {
	s.Helper()
	select {
	case e := <-from:
		s.Fatalf("%v came while the thread was to stand still", e)
	case <-time.After(3 * tick):
	}
}

func something[E any](s *fixture, from <-chan E) {
	s.Helper()
	select {
	case <-from:
	case <-s.ctx.Done():
		s.Error("nothing came")
	}
}

// staysBehind shows that writes reach the others and not this server, and returns what happens here
// later.
func (s *fixture) staysBehind() func() {
	events := s.shows(s.here, false)
	s.write()
	nothing(s, events)
	return func() { something(s, events) }
}

// answersNobody shows that writes reach the others, and that here even a read is not answered.
func (s *fixture) answersNobody() func() {
	s.write()
	nothing(s, s.asked)
	return func() { something(s, s.asked) }
}

// goesOn shows that the leader carries out writes meanwhile.
func (s *fixture) goesOn() {
	s.Helper()
	_, err := s.here.Set("/", nil, -1)
	s.must(err)
}

// pingsNobody shows that no ping reaches a learner.
func (s *fixture) pingsNobody() func() {
	s.goesOn()
	learner, err := s.all.Follower(s.ctx)
	s.must(err)
	vm, err := Attach(s.ctx, Address(learner.DebugAddr()))
	s.must(err)
	s.Cleanup(func() { vm.Close() })
	ping, err := vm.Hold(s.ctx, PingReply)
	s.must(err)
	nothing(s, ping.Arrived())
	return func() {
		something(s, ping.Arrived())
		s.must(ping.Release(s.ctx))
	}
}

// oneIsNotHeard shows that the writes of one of the others are carried out, and those of the other
// one are not.
func (s *fixture) oneIsNotHeard() func() {
	s.goesOn()
	s.asked = make(chan error, len(s.others))
	for _, conn := range s.others {
		go func() { // ends with the connection
			_, err := conn.Set("/", nil, -1)
			s.asked <- err
		}()
	}
	something(s, s.asked)
	nothing(s, s.asked)
	return func() { something(s, s.asked) }
}

var places = []struct {
	Place
	thread  string                  // a part of the thread's name
	provoke func(s *fixture)        // nil: a thread gets there all the time
	during  func(s *fixture) func() // checks while it is held, and returns a check for afterwards
}{
	{TrackerClosing, "SessionTracker", (*fixture).expire, func(s *fixture) func() {
		events := s.shows(s.others[0], true)
		nothing(s, events)
		return func() { something(s, events) }
	}},
	{LearnerTouch, "RequestThrottler", (*fixture).ask, (*fixture).answersNobody},
	{Request, "FollowerRequestProcessor", (*fixture).ask, (*fixture).answersNobody},
	{PingReply, "QuorumPeer", nil, (*fixture).staysBehind},
	{PingLoop, "QuorumPeer", nil, (*fixture).pingsNobody},
	{Prepare, "ProcessThread", (*fixture).askToWrite, (*fixture).readsOnly},
	{Commit, "CommitProcessor", (*fixture).touchNothing, func(s *fixture) func() {
		s.ask() // not before the thread is held: the write may be late here, and the read be answered
		return s.answersNobody()
	}},
	{LearnerPacket, "LearnerHandler", nil, (*fixture).oneIsNotHeard},
}

// expire lets a session with an ephemeral node expire.
func (s *fixture) expire() {
	p := faultproxy.ForTest(s, s.others[0].Server())
	conn := s.connect(p.Addr(), 8*tick) // long enough that a busy machine does not end it before the create
	_, err := conn.Create(s.node, nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	s.must(err)
	p.Drop(faultproxy.Both, true)
}

// askToWrite sends a write to another server.
func (s *fixture) askToWrite() {
	s.asked = make(chan error, 1)
	go func() { // ends with the connection
		_, err := s.others[0].Set("/", nil, -1)
		s.asked <- err
	}()
}

// readsOnly shows that the others answer reads, and carry out no write.
func (s *fixture) readsOnly() func() {
	nothing(s, s.asked)
	s.shows(s.others[1], false)
	return func() { something(s, s.asked) }
}

// ask sends a request to this server.
func (s *fixture) ask() {
	s.asked = make(chan error, 1)
	go func() { // ends with the connection
		_, _, err := s.here.Exists("/")
		s.asked <- err
	}()
}

// touchNothing has a write carried out that nobody looks at.
func (s *fixture) touchNothing() {
	_, err := s.others[0].Set("/", nil, -1)
	s.must(err)
}
