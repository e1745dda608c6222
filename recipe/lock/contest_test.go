package lock_test

import (
	"context"
	"testing"

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
	*shared.Site
	path  string // of the lock; nobody has made it
	turns shared.Turns[*lock.Held]
	locks []*lock.Lock // those of all contenders
}

// contestT is the session timeout of contenders, contestD their lease.
const contestT, contestD = shared.SiteT, session.DefaultLease

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

// rounds is how many rounds a test runs: many on simulated servers, where they cost little.
func (x *contest) rounds(simulated, real int) int {
	if _, ok := x.Servers.(*ensemble.Ensemble); ok {
		return real
	}
	return simulated
}

func newContest(t *testing.T, servers shared.Servers) *contest {
	t.Helper()
	site := shared.NewSite(t, servers, "lock")
	return &contest{Site: site, path: site.Dir + "/l"}
}

// inLine lists the znodes that stand in the line now.
func (x *contest) inLine() []string { x.T.Helper(); return x.Children(x.path) }

// withheld is how often a contender was next and had to wait for a lease.
func (x *contest) withheld() (n uint64) {
	for _, l := range x.locks {
		n += l.Status().Counts.Withheld
	}
	return n
}

// nobodyWaited demands that no contender had to wait for a lease.
func (x *contest) nobodyWaited() {
	x.T.Helper()
	if n := x.withheld(); n > 0 {
		x.T.Errorf("%d times somebody had to wait for a lease", n)
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
	x.T.Helper()
	return x.at(x.Client(session.Config{}), name, cfg...)
}

// at makes a contender with that client.
func (x *contest) at(client *session.Client, name string, cfg ...lock.Config) *contender {
	x.T.Helper()
	c, own := x.config(name, cfg)
	l, err := lock.New(client, x.path, own)
	shared.Must(x.T, err)
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
	x.T.Helper()
	write, own := x.config(name, cfg)
	write.client = x.Client(session.Config{})
	rw, err := lock.NewRW(write.client, x.path, own)
	shared.Must(x.T, err)
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
	ctx, got := await.Context(c.x.T), make(chan *lock.Held, 1)
	go func() {
		h, err := acquire(ctx)
		if err == nil {
			c.x.turns.Begin(c.x.T, c.name, h, c.shared)
			got <- h
			return
		}
		if c.x.T.Context().Err() == nil { // the test goes on
			c.x.T.Errorf("%s: %v", c.name, err)
		}
		close(got)
	}()
	return got
}

func (c *contender) acquire() *lock.Held { c.x.T.Helper(); return <-c.begin() }

// queue is begin that returns when the contender stands in line, and knows who is ahead.
func (c *contender) queue() <-chan *lock.Held {
	c.x.T.Helper()
	n := c.count(lock.EventJoined)
	got := c.begin()
	c.next(lock.EventJoined, n+1)
	return got
}

func (c *contender) count(kind lock.EventKind) int { return c.events.Count(isKind(kind)) }

// next waits for the n-th event of a kind.
func (c *contender) next(kind lock.EventKind, n int) lock.Event {
	c.x.T.Helper()
	return c.events.Next(c.x.T, kind.String()+" of "+c.name, 0, n, isKind(kind))
}

func isKind(kind lock.EventKind) func(lock.Event) bool {
	return func(ev lock.Event) bool { return ev.Kind == kind }
}
