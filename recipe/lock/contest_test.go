package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// A contest is a lock on simulated servers or on real ones, and its contenders. It compares what is
// held.
type contest struct {
	t       *testing.T
	servers shared.Servers
	dir     string           // of the test's own
	path    string           // of the lock, below dir; nobody has made it
	admin   *session.Session // of somebody who does not contend
	turns   shared.Turns[*lock.Held]
	locks   []*lock.Lock // those of all contenders
}

// contestT is the session timeout of contenders, the longest that the common servers grant, and
// contestD their lease.
const contestT, contestD = 10 * time.Second, session.DefaultLease

// onBoth runs a test on simulated servers and on real ones.
func onBoth(t *testing.T, test func(t *testing.T, x *contest)) {
	t.Helper()
	shared.OnBoth(t, ensemble.Common, func(t *testing.T, servers shared.Servers) { test(t, newContest(t, servers)) })
}

// onSimulated runs it on simulated servers only.
func onSimulated(t *testing.T, test func(t *testing.T, x *contest)) {
	t.Helper()
	shared.On(t, zktest.Config{}, func(s *shared.Stage) { test(s.T, newContest(s.T, s)) })
}

func newContest(t *testing.T, servers shared.Servers) *contest {
	t.Helper()
	x := &contest{t: t, servers: servers}
	x.admin = x.session(x.client(servers, session.Config{}))
	dir, err := x.admin.Create(t.Context(), "/lock-", nil, zk.FlagSequence, nil)
	shared.Must(t, err)
	x.dir, x.path = dir, dir+"/l"
	return x
}

// client opens a client of the servers, or of proxies in front of them.
func (x *contest) client(at shared.Servers, cfg session.Config) *session.Client {
	x.t.Helper()
	cfg.Timeout, cfg.Dial, cfg.Logger = contestT, at.Dial, shared.Logger(x.t.Name())
	return shared.Open(x.t, at.ConnectString(), cfg)
}

func (x *contest) session(c *session.Client) *session.Session {
	x.t.Helper()
	s, err := c.Session(await.Context(x.t))
	shared.Must(x.t, err)
	return s
}

// caughtUp lets the server of a session catch up with the ensemble. A sync would not do: a leader
// answers it at once, although it may not have applied yet what a follower has acknowledged.
func (x *contest) caughtUp(s *session.Session) {
	x.t.Helper()
	_, err := s.QuorumSync(await.Context(x.t), "/")
	shared.Must(x.t, err)
}

// exists reports whether there is a znode now.
func (x *contest) exists(path string) bool {
	x.t.Helper()
	there, err := x.admin.QuorumSync(await.Context(x.t), path)
	shared.Must(x.t, err)
	return there
}

// inLine lists the znodes that stand in the line now.
func (x *contest) inLine() []string { return x.below(x.path) }

func (x *contest) below(path string) []string {
	x.t.Helper()
	x.caughtUp(x.admin)
	names, _, err := x.admin.Children(await.Context(x.t), path)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		x.t.Fatal(err)
	}
	return names
}

// delete deletes a znode.
func (x *contest) delete(path string) {
	x.t.Helper()
	shared.Must(x.t, x.admin.Delete(await.Context(x.t), path, -1))
}

// make makes a znode of the test's own, and returns what reads it.
func (x *contest) make(path string) (read func() string) {
	x.t.Helper()
	shared.Must(x.t, x.admin.EnsurePath(await.Context(x.t), path, nil))
	return func() string {
		x.t.Helper()
		x.caughtUp(x.admin)
		data, _, err := x.admin.Get(await.Context(x.t), path)
		shared.Must(x.t, err)
		return string(data)
	}
}

func (x *contest) pass(d time.Duration) { shared.Pass(x.servers, d) }

// soon is the time for what need not wait for a lease to lapse.
func (x *contest) soon(what string, f func()) {
	x.t.Helper()
	shared.Within(x.t, x.servers, contestD/4, what, f)
}

// withheld is how often a contender was next and had to wait for a lease.
func (x *contest) withheld() (n uint64) {
	for _, l := range x.locks {
		n += l.Status().Counts.Withheld
	}
	return n
}

// nobodyWaited demands that no contender had to wait for a lease.
func (x *contest) nobodyWaited() {
	x.t.Helper()
	if n := x.withheld(); n > 0 {
		x.t.Errorf("%d times somebody had to wait for a lease", n)
	}
}

// A contender is one process with the lock of a contest, or with one side of it.
type contender struct {
	*lock.Lock
	x      *contest
	name   string
	shared bool
	client *session.Client
	events *await.List[lock.Event] // those of the other side, too
}

// contender makes one with a plain lock, and a client of its own.
func (x *contest) contender(name string, cfg ...lock.Config) *contender {
	x.t.Helper()
	return x.at(x.client(x.servers, session.Config{}), name, cfg...)
}

// at makes a contender with that client.
func (x *contest) at(client *session.Client, name string, cfg ...lock.Config) *contender {
	x.t.Helper()
	c, own := x.config(name, cfg)
	l, err := lock.New(client, x.path, own)
	shared.Must(x.t, err)
	c.Lock, c.client = l, client
	x.locks = append(x.locks, l)
	return c
}

func (x *contest) config(name string, cfg []lock.Config) (*contender, lock.Config) {
	c := &contender{x: x, name: name, events: &await.List[lock.Event]{}}
	own := append(cfg, lock.Config{})[0]
	own.ID, own.Logger, own.OnEvent = name, shared.Logger(name), c.events.Add
	return c, own
}

// rwContender is the two sides of a read-write lock.
type rwContender struct {
	*lock.RW
	read, write *contender
}

// rw makes a contender with a read-write lock, and a client of its own.
func (x *contest) rw(name string, cfg ...lock.Config) *rwContender {
	x.t.Helper()
	write, own := x.config(name, cfg)
	write.client = x.client(x.servers, session.Config{})
	rw, err := lock.NewRW(write.client, x.path, own)
	shared.Must(x.t, err)
	read := *write
	read.Lock, write.Lock, read.shared = rw.Read(), rw.Write(), true
	x.locks = append(x.locks, rw.Read(), rw.Write())
	return &rwContender{rw, &read, write}
}

func (b *rwContender) side(read bool) *contender {
	if read {
		return b.read
	}
	return b.write
}

// begin acquires in the background. What it sends is compared with all else that was held. The
// channel is closed if there is an error.
func (c *contender) begin() <-chan *lock.Held { return c.start(c.Acquire) }

// try is begin for TryAcquire.
func (c *contender) try() <-chan *lock.Held { return c.start(c.TryAcquire) }

func (c *contender) start(acquire func(context.Context) (*lock.Held, error)) <-chan *lock.Held {
	ctx, got := await.Context(c.x.t), make(chan *lock.Held, 1)
	go func() {
		h, err := acquire(ctx)
		if err == nil {
			c.x.turns.Begin(c.x.t, c.name, h, c.shared)
			got <- h
			return
		}
		if c.x.t.Context().Err() == nil { // the test goes on
			c.x.t.Errorf("%s: %v", c.name, err)
		}
		close(got)
	}()
	return got
}

func (c *contender) acquire() *lock.Held { c.x.t.Helper(); return <-c.begin() }

// queue is begin that returns when the contender stands in line, and knows who is ahead.
func (c *contender) queue() <-chan *lock.Held {
	c.x.t.Helper()
	n := c.count(lock.EventJoined)
	got := c.begin()
	c.next(lock.EventJoined, n+1)
	return got
}

func (c *contender) count(kind lock.EventKind) int { return c.events.Count(isKind(kind)) }

// next waits for the n-th event of a kind.
func (c *contender) next(kind lock.EventKind, n int) lock.Event {
	c.x.t.Helper()
	return c.events.Next(c.x.t, kind.String()+" of "+c.name, 0, n, isKind(kind))
}

func isKind(kind lock.EventKind) func(lock.Event) bool {
	return func(ev lock.Event) bool { return ev.Kind == kind }
}
