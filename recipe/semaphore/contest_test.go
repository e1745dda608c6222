package semaphore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// A contest is a semaphore on simulated servers or on real ones, and its contenders.
type contest struct {
	*shared.Site
	ledger
	path string // of the semaphore; nobody has made it
	all  []*contender
}

// contestT is the session timeout of contenders, contestD their lease.
const contestT, contestD = shared.SiteT, session.DefaultLease

// onBoth runs a test on simulated servers and on real ones, with a semaphore of that size.
func onBoth(t *testing.T, size int, test func(t *testing.T, x *contest)) {
	t.Helper()
	shared.OnBoth(t, ensemble.Common, func(t *testing.T, servers shared.Servers) { test(t, newContest(t, servers, size)) })
}

// onSimulated runs it on such simulated servers only.
func onSimulated(t *testing.T, size int, cfg zktest.Config, test func(t *testing.T, x *contest)) {
	t.Helper()
	shared.On(t, cfg, func(s *shared.Stage) { test(s.T, newContest(s.T, s, size)) })
}

func newContest(t *testing.T, servers shared.Servers, size int) *contest {
	t.Helper()
	site := shared.NewSite(t, servers, "semaphore")
	return &contest{Site: site, path: site.Dir + "/s", ledger: ledger{size: size}}
}

// below lists the znodes in a directory of the semaphore now, by their paths.
func (x *contest) below(dir string) (paths []string) {
	x.T.Helper()
	for _, name := range x.Children(x.path + "/" + dir) {
		paths = append(paths, x.path+"/"+dir+"/"+name)
	}
	return paths
}

// none waits until nobody is left in a directory.
func (x *contest) none(dir string) {
	x.T.Helper()
	await.Until(x.T, "end of all in "+dir, func() bool { return len(x.below(dir)) == 0 })
}

// withheld is how often somebody had room and had to wait for a lease.
func (x *contest) withheld() (n uint64) {
	for _, c := range x.all {
		n += c.Status().Counts.Withheld
	}
	return n
}

// nobodyWaited demands that nobody had to wait for a lease.
func (x *contest) nobodyWaited() {
	x.T.Helper()
	if n := x.withheld(); n > 0 {
		x.T.Errorf("%d times somebody had to wait for a lease", n)
	}
}

// release gives a permit away.
func (x *contest) release(p *semaphore.Permit) {
	x.T.Helper()
	if p == nil { // begin has said why
		x.T.FailNow()
	}
	if err := p.Release(x.T.Context()); err != nil {
		x.T.Errorf("release: %v", err)
	}
}

// A contender is one process with the semaphore of a contest.
type contender struct {
	*semaphore.Semaphore
	x      *contest
	name   string
	client *session.Client
	events await.List[semaphore.Event]
}

// contender makes one with a client of its own.
func (x *contest) contender(name string, cfg ...semaphore.Config) *contender {
	x.T.Helper()
	return x.at(x.Client(session.Config{}), name, x.size, cfg...)
}

// at makes a contender with that client, which says that size.
func (x *contest) at(client *session.Client, name string, size int, cfg ...semaphore.Config) *contender {
	x.T.Helper()
	c := &contender{x: x, name: name, client: client}
	own := append(cfg, semaphore.Config{})[0]
	own.ID, own.OnEvent, own.Logger = name, c.events.Add, shared.Logger(name)
	var err error
	c.Semaphore, err = semaphore.New(client, x.path, size, own)
	shared.Must(x.T, err)
	x.all = append(x.all, c)
	return c
}

// begin acquires n permits in the background. What it sends is compared with all other permits. The
// channel is closed if there is an error.
func (c *contender) begin(n int) <-chan *semaphore.Permit {
	ctx, got := await.Context(c.x.T), make(chan *semaphore.Permit, 1)
	go func() {
		p, err := c.AcquireN(ctx, n)
		if err == nil {
			c.x.check(c.x.T, c.name, p)
			got <- p
			return
		}
		if c.x.T.Context().Err() == nil { // the test goes on
			c.x.T.Errorf("%s: %v", c.name, err)
		}
		close(got)
	}()
	return got
}

func (c *contender) acquire() *semaphore.Permit { c.x.T.Helper(); return <-c.begin(1) }

// queue is begin that returns when the contender stands in line.
func (c *contender) queue() <-chan *semaphore.Permit {
	c.x.T.Helper()
	n := c.count(semaphore.EventJoined)
	got := c.begin(1)
	c.next(semaphore.EventJoined, n+1)
	return got
}

// atFront waits until the contender knows all permits, and waits for one of them.
func (c *contender) atFront() {
	c.x.T.Helper()
	await.Until(c.x.T, c.name+" at the front", func() bool {
		claims := c.Status().Claims
		return len(claims) == 1 && strings.HasPrefix(claims[0].Node, c.x.path+"/leases/")
	})
}

// giveUp waits in line until it gives up, and returns when it has left.
func (c *contender) giveUp() {
	c.x.T.Helper()
	ctx, cancel := context.WithCancel(c.x.T.Context())
	n := c.count(semaphore.EventJoined) + 1
	given := make(chan error, 1)
	go func() { _, err := c.Acquire(ctx); given <- err }()
	joined := c.next(semaphore.EventJoined, n)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		c.x.T.Errorf("%s gave up with %v", c.name, err)
	}
	c.events.Next(c.x.T, "event of leaving of "+c.name, 0, 1, func(ev semaphore.Event) bool {
		return ev.Kind == semaphore.EventLeft && ev.Node == joined.Node
	})
	await.Until(c.x.T, "end of its znodes", func() bool { return len(c.znodes()) == 0 })
}

// znodes lists those of the contender's session.
func (c *contender) znodes() (own []string) {
	c.x.T.Helper()
	id := c.x.Session(c.client).ID()
	for _, path := range append(c.x.below("locks"), c.x.below("leases")...) {
		stat, there, err := c.x.Admin.Exists(await.Context(c.x.T), path)
		shared.Must(c.x.T, err)
		if there && stat.EphemeralOwner == id {
			own = append(own, path)
		}
	}
	return own
}

func (c *contender) count(kind semaphore.EventKind) int { return c.events.Count(isKind(kind)) }

// next waits for the n-th event of a kind.
func (c *contender) next(kind semaphore.EventKind, n int) semaphore.Event {
	c.x.T.Helper()
	return c.events.Next(c.x.T, kind.String()+" of "+c.name, 0, n, isKind(kind))
}

func isKind(kind semaphore.EventKind) func(semaphore.Event) bool {
	return func(ev semaphore.Event) bool { return ev.Kind == kind }
}

// empty reports whether nothing comes out of a channel, in a bubble while all others go on for d.
func (x *contest) empty(got <-chan *semaphore.Permit, d time.Duration) bool {
	x.Pass(d)
	return len(got) == 0
}
