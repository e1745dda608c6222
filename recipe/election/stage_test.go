package election_test

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and the candidates of one
// election. It compares the terms: once over, a term stays over, so to look at all earlier
// ones whenever one begins finds every overlap.
type stage struct {
	*zktest.Ensemble
	t   *testing.T
	cfg session.Config // of those who enter; Timeout is stageT if it is not set

	mu     sync.Mutex // guards what follows
	terms  []*election.Term
	expels bool // an administrator takes znodes or sessions away: no more than tokens are promised
}

// stagePath is the path of a stage's election.
const stagePath = "/e"

// stageTick is a server's tick on a stage, stageT the least that it grants, two, and stageD how
// long a lease lasts then. beats is where the heartbeats are.
const (
	stageTick = 2 * time.Second
	stageT    = 2 * stageTick
	stageD    = stageT / 2
	beats     = "/zkrecipe/beats/"
)

// onStage plays f in a bubble. The configuration's Seed matters, and what f asks for.
func onStage(t *testing.T, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Servers, cfg.InMemory, cfg.Tick, cfg.Latency = 3, true, stageTick, time.Millisecond
		cfg.Logf = func(string, ...any) {}
		f(t, &stage{Ensemble: zktest.Start(t, cfg), t: t})
	})
}

// actor is a candidate on a host of its own.
type actor struct {
	*candidate
	host *zktest.Host
}

// client opens a client on a host of that name, closed at the end.
func (s *stage) client(host string) *session.Client {
	s.t.Helper()
	cfg := s.cfg
	cfg.Timeout, cfg.Dial, cfg.Logger = cmp.Or(cfg.Timeout, stageT), s.Host(host).Dial, logger(host)
	client, err := session.Open(s.ConnectString(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.Host(host).Heal()
		client.Close()
	})
	return client
}

// stand lets a candidate stand anywhere until its client is closed, and calls lead, or leads until
// it is told to stop.
func (s *stage) stand(client *session.Client, path string, cfg election.Config, lead ...func(context.Context, *election.Term) error) {
	s.t.Helper()
	el, err := election.New(client, path, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	go el.Run(context.Background(), append(lead, untilTheEnd)[0])
}

// enter starts a candidate that leads until it is told to stop. All servers are known to it,
// unless others are named.
func (s *stage) enter(name string, servers ...string) *actor {
	s.t.Helper()
	return s.enterWith(name, s.Host(name).Dial, election.Config{}, untilTheEnd, servers...)
}

func untilTheEnd(ctx context.Context, _ *election.Term) error {
	<-ctx.Done()
	return nil
}

func (s *stage) enterWith(name string, dial func(ctx context.Context, network, address string) (net.Conn, error),
	cfg election.Config, lead func(context.Context, *election.Term) error, servers ...string) *actor {
	s.t.Helper()
	connect := s.ConnectString()
	if len(servers) > 0 {
		connect = servers[0]
	}
	asked := s.cfg
	asked.Timeout, asked.Dial, asked.Logger = cmp.Or(asked.Timeout, stageT), dial, logger(name)
	client, err := session.Open(connect, asked)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &candidate{client: client, events: newEvents(s.t, name), done: make(chan struct{}), terms: make(chan *election.Term, 10_000)}
	cfg.ID = name
	if cfg.OnEvent == nil {
		cfg.OnEvent = c.events.add
	}
	if c.Election, err = election.New(client, stagePath, cfg); err != nil {
		s.t.Fatal(err)
	}
	a := &actor{c, s.Host(name)}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		c.err = c.Run(ctx, func(ctx context.Context, term *election.Term) error {
			s.began(name, term)
			c.terms <- term
			return lead(ctx, term)
		})
	}()
	s.t.Cleanup(func() { // before the ensemble's own end
		a.host.Heal()
		c.stop()
		client.Close()
		if err := faultOf(c.events.list()); err != nil {
			s.t.Errorf("%s: %v; events:\n%v", name, err, c.events)
		}
	})
	return a
}

// began looks at all earlier terms at the beginning of one.
func (s *stage) began(name string, term *election.Term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.terms {
		if old.Token() >= term.Token() {
			s.t.Errorf("%s leads with token %d after %d", name, term.Token(), old.Token())
		}
		if s.expels {
			continue
		}
		if old.Valid() && term.Valid() {
			s.t.Errorf("%s leads while %s does, for %v more", name, old.ID(), old.Remaining())
		}
		select {
		case <-old.Context().Done(): // not Err, which looks at the clock by itself
		default:
			s.t.Errorf("%s leads while the context of %s goes on", name, old.ID())
		}
	}
	s.terms = append(s.terms, term)
}

// begun lists the terms that have begun, oldest first.
func (s *stage) begun() []*election.Term {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.terms)
}

// leading counts the terms that are valid now.
func (s *stage) leading() (n int) {
	for _, term := range s.begun() {
		if term.Valid() {
			n++
		}
	}
	return n
}

// inLine lists the znodes of the line.
func (s *stage) inLine() (nodes []zktest.Node) {
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Path, stagePath+"/") {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// lineUp starts candidates that stand in line in this order, each in its place.
func (s *stage) lineUp(names ...string) (all []*actor, first *election.Term) {
	s.t.Helper()
	for i, name := range names {
		a := s.enter(name)
		a.events.wait(election.EventJoined, 1)
		switch i {
		case 0:
			first = a.term()
		case 1:
			a.events.wait(election.EventHeir, 1)
		}
		all = append(all, a)
	}
	return all, first
}

// admin is the session of one who looks after the ensemble.
func (s *stage) admin() *session.Session {
	s.t.Helper()
	client, err := session.Open(s.ConnectString(), session.Config{Timeout: 20 * stageTick, Dial: s.Host("admin").Dial})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { client.Close() })
	return mustSession(s.t, client)
}

// eventually waits in steps of the bubble's time.
func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no %s within a minute", what)
		}
	}
}

// makePath makes the election's path, so that no create finds it missing.
func (s *stage) makePath() {
	s.t.Helper()
	if err := s.admin().EnsurePath(s.t.Context(), stagePath, zk.WorldACL(zk.PermAll)); err != nil {
		s.t.Fatal(err)
	}
}
