package lock_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and contenders of one lock. It keeps
// what was held, and looks at all of it whenever somebody acquires the lock.
type stage struct {
	*zktest.Ensemble
	t   *testing.T
	cfg session.Config // of those who enter; Timeout is stageT if it is not set

	mu     sync.Mutex // guards what follows
	helds  []owned
	expels bool // an administrator takes the whole path away: no more than tokens are promised
}

type owned struct {
	*lock.Held
	who    string
	shared bool
}

// stagePath is the path of a stage's lock.
const stagePath = "/l"

// stageT is the least session timeout that a stage grants, stageD how long a lease lasts then.
const (
	stageTick = 2 * time.Second
	stageT    = 2 * stageTick
	stageD    = stageT / 2
)

// onStage plays f in a bubble.
func onStage(t *testing.T, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Servers, cfg.InMemory, cfg.Tick, cfg.Latency = 3, true, stageTick, time.Millisecond
		cfg.Logf = func(string, ...any) {}
		f(t, &stage{Ensemble: zktest.Start(t, cfg), t: t})
	})
}

// logger writes to stderr when tests are run with ZKRECIPE_LOG set.
func logger(name string) *slog.Logger {
	if os.Getenv("ZKRECIPE_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("who", name)
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

// A person is one process with a lock.
type person struct {
	*lock.Lock
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
	mu     sync.Mutex // guards events
	events []lock.Event
}

// person makes a process with the lock of the stage.
func (s *stage) person(name string, cfg ...lock.Config) *person {
	s.t.Helper()
	p := &person{s: s, name: name, host: s.Host(name), client: s.client(name)}
	c := append(cfg, lock.Config{})[0]
	c.ID, c.Logger, c.OnEvent = name, logger(name), p.add
	var err error
	if p.Lock, err = lock.New(p.client, stagePath, c); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (p *person) add(ev lock.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, ev)
}

func (p *person) count(kind lock.EventKind) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// acquire waits for the lock, for ten minutes of the bubble at most.
func (p *person) acquire() *lock.Held {
	p.s.t.Helper()
	return <-p.begin()
}

// begin acquires in the background.
func (p *person) begin() <-chan *lock.Held {
	got := make(chan *lock.Held, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		h, err := p.Acquire(ctx)
		if err != nil {
			p.s.t.Errorf("%s: %v", p.name, err)
			close(got)
			return
		}
		p.s.check(p.name, h, false)
		got <- h
	}()
	return got
}

// check compares what somebody holds with all that was held before.
func (s *stage) check(who string, h *lock.Held, shared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.helds {
		if old.shared && shared {
			continue
		}
		if old.Token() >= h.Token() {
			s.t.Errorf("%s has token %d after %s with %d", who, h.Token(), old.who, old.Token())
		}
		if s.expels {
			continue
		}
		if old.Valid() && h.Valid() {
			s.t.Errorf("%s holds the lock beside %s, for %v more", who, old.who, old.Remaining())
		}
		select {
		case <-old.Context().Done(): // not Err, which looks at the clock by itself
		default:
			s.t.Errorf("%s holds the lock while the context of %s goes on", who, old.who)
		}
	}
	s.helds = append(s.helds, owned{h, who, shared})
}

// held is check without a comparison.
func (s *stage) held(who string, h *lock.Held, shared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.helds = append(s.helds, owned{h, who, shared})
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

// eventually waits in steps of the bubble's time.
func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no %s within a minute", what)
		}
	}
}

// admin is the session of one who looks after the ensemble.
func (s *stage) admin() *session.Session {
	s.t.Helper()
	client, err := session.Open(s.ConnectString(), session.Config{Timeout: 20 * stageTick, Dial: s.Host("admin").Dial})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { client.Close() })
	return sessionOf(s.t, client)
}

func sessionOf(t *testing.T, client *session.Client) *session.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// release releases and wants no error.
func release(t *testing.T, h *lock.Held) {
	t.Helper()
	if h == nil {
		t.Fatal("it was not acquired")
	}
	if err := h.Release(t.Context()); err != nil {
		t.Errorf("Release: %v", err)
	}
}

// want checks the kind of an error.
func want(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v; want %v", err, kind)
	}
}
