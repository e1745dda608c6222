package election_test

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// steady is the session timeout that most tests ask for, and leased the lease beside it: no
// candidate loses it because the machine has other things to do for some seconds.
const steady, leased = 20 * time.Second, 6 * time.Second

// T is a session timeout for tests that wait for what happens once in so long.
const T = 2 * time.Second

// three returns the ensemble of three servers that the tests share, all servers up.
func three(t ensemble.TB) *ensemble.Ensemble {
	t.Helper()
	return ensemble.Shared(t, ensemble.Config{Servers: 3, MaxSessionTimeout: time.Minute})
}

// onBoth runs a test on three simulated servers, and on those of three.
func onBoth(t *testing.T, test func(t *testing.T, e shared.Servers)) {
	t.Helper()
	shared.OnBoth(t, three, test)
}

// patient is for tests in which no lease may end, and nobody waits for the end of one: a busy
// machine can stand still for seconds.
var patient = session.Config{Timeout: time.Minute, Lease: 30 * time.Second}

// patience guards against hanging; nothing is measured by it.
const patience = await.Bound

var (
	within  = await.Context
	pathFor = shared.Path
)

// open returns a client of these servers, or of proxies in front of them. It is closed when the
// test ends.
func open(t *testing.T, at shared.Servers, cfg session.Config) *session.Client {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = steady
	}
	if cfg.Timeout == steady {
		cfg.Lease = cmp.Or(cfg.Lease, leased)
	}
	if cfg.Logger == nil {
		cfg.Logger = shared.Logger(t.Name())
	}
	if cfg.Dial == nil {
		cfg.Dial = at.Dial
	}
	expectNoLeak(t)
	return shared.Open(t, at.ConnectString(), cfg)
}

// leakChecks holds the tests whose end is watched already.
var leakChecks sync.Map

// expectNoLeak makes sure that no goroutine of the library is left when the test ends, which is
// after its clients have been closed. So no test here runs in parallel.
func expectNoLeak(t *testing.T) {
	alone := !strings.Contains(t.Name(), "/") || strings.HasSuffix(t.Name(), "/real") // of OnBoth
	if _, again := leakChecks.LoadOrStore(t, true); again || !alone {
		return // the test around a subtest may have clients of its own, and a bubble does not end before its goroutines
	}
	t.Cleanup(func() {
		leakChecks.Delete(t)
		await.Until(t, "end of all goroutines", func() bool { return ours() == "" }, func() any { return ours() })
	})
}

// ours lists the goroutines that were started by the library or by zk.
func ours() string {
	buf := make([]byte, 1<<20)
	var found []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		by := g[strings.LastIndex(g, "created by")+len("created by"):]
		for _, pkg := range []string{"zkrecipe/session.", "zkrecipe/session/internal", "recipe/election.", "go-zookeeper/zk."} {
			if strings.Contains(by, pkg) {
				found = append(found, g)
			}
		}
	}
	return strings.Join(found, "\n\n")
}

// events collects what a candidate tells and lets tests wait for it.
type events struct {
	await.List[election.Event]
	t   *testing.T
	who string
	of  *candidate // nil if they are nobody's that runs
}

func newEvents(t *testing.T, who string) *events { return &events{t: t, who: who} }

func (e *events) String() string {
	var b strings.Builder
	for _, ev := range e.All() {
		fmt.Fprintf(&b, "%s %s: %s", ev.Time.Format("05.000"), e.who, ev.Kind)
		if ev.Reason != 0 {
			fmt.Fprintf(&b, " (%v)", ev.Reason)
		}
		if ev.Err != nil {
			fmt.Fprintf(&b, " err=%v", ev.Err)
		}
		b.WriteString("\n")
	}
	if e.of != nil {
		select {
		case <-e.of.done:
			fmt.Fprintf(&b, "Run has returned: %v\n", e.of.err)
		default:
		}
	}
	return b.String()
}

// wait returns the n-th event of a kind, counted from 1.
func (e *events) wait(kind election.EventKind, n int) election.Event {
	e.t.Helper()
	return e.Next(e.t, fmt.Sprintf("%v number %d of %s", kind, n, e.who), 0, n, isKind(kind), func() any { return "events:\n" + e.String() })
}

func (e *events) count(kind election.EventKind) int { return e.Count(isKind(kind)) }

func isKind(kind election.EventKind) func(election.Event) bool {
	return func(ev election.Event) bool { return ev.Kind == kind }
}

// candidate is one that runs until it is stopped.
type candidate struct {
	*election.Election
	client *session.Client
	host   *zktest.Host // nil on real servers
	events *events
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done
	terms  chan *election.Term
}

// run starts a candidate whose callback leads until its context ends.
func run(t *testing.T, client *session.Client, path, id string, cfg election.Config) *candidate {
	t.Helper()
	return runWith(t, client, path, id, cfg, func(ctx context.Context, term *election.Term) error {
		<-ctx.Done()
		return nil
	})
}

func runWith(t *testing.T, client *session.Client, path, id string, cfg election.Config, lead func(context.Context, *election.Term) error) *candidate {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = shared.Logger(t.Name())
	}
	c := start(t, client, path, id, cfg, checkerOf(t, path).watch, lead)
	t.Cleanup(func() {
		c.stop()
		c.inOrder()
	})
	return c
}

// start lets a candidate run. began is told of each term before it is led.
func start(t *testing.T, client *session.Client, path, id string, cfg election.Config, began func(*election.Term),
	lead func(context.Context, *election.Term) error) *candidate {
	t.Helper()
	c := &candidate{client: client, events: newEvents(t, id), done: make(chan struct{}), terms: make(chan *election.Term, 10_000)}
	c.events.of = c
	cfg.ID = id
	if cfg.OnEvent == nil {
		cfg.OnEvent = c.events.Add
	}
	var err error
	if c.Election, err = election.New(client, path, cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		c.err = c.Run(ctx, func(ctx context.Context, term *election.Term) error {
			began(term)
			c.terms <- term
			return lead(ctx, term)
		})
	}()
	return c
}

// inOrder demands that the events have the order that is promised. On a busy machine the candidate
// leaves in the background.
func (c *candidate) inOrder() {
	c.events.t.Helper()
	fault := func() error { return faultOf(c.events.All()) }
	await.Until(c.events.t, "end in good order of "+c.events.who, func() bool { return fault() == nil },
		func() any { return fault() }, func() any { return "events:\n" + c.events.String() })
}

func (c *candidate) stop() {
	c.cancel()
	<-c.done
}

// term waits for the candidate's next term.
func (c *candidate) term() *election.Term {
	c.events.t.Helper()
	select {
	case term := <-c.terms:
		return term
	case <-time.After(patience):
		c.events.t.Fatalf("%s was not elected; events:\n%v", c.events.who, c.events)
		return nil
	}
}

func mustSession(t *testing.T, c *session.Client) *session.Session {
	t.Helper()
	s, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// children lists an election path as it is now.
func children(t *testing.T, client *session.Client, path string) []string {
	t.Helper()
	s := mustSession(t, client)
	if _, err := s.QuorumSync(within(t), "/"); err != nil {
		t.Fatal(err)
	}
	names, _, err := s.Children(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// empty waits until nobody is left in line: what was under way when a context ended may be taken
// back in the background.
func empty(t *testing.T, client *session.Client, path string) {
	t.Helper()
	var left []string
	await.Until(t, "empty line", func() bool { left = children(t, client, path); return len(left) == 0 }, func() any { return left })
}

// noDelete lets everybody do everything but delete children.
var noDelete = zk.WorldACL(zk.PermRead | zk.PermWrite | zk.PermCreate)
