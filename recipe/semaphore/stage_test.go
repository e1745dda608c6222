package semaphore_test

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

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and those who use one semaphore. It
// keeps all permits that were handed out, and looks at them whenever another is.
type stage struct {
	*zktest.Ensemble
	t       *testing.T
	cfg     session.Config // of those who enter; Timeout is stageT if it is not set
	size    int            // of the semaphore
	servers string         // to which clients connect; all if it is empty

	mu      sync.Mutex // guards what follows
	permits []owned
	slots   map[int]int64 // the last token of each slot
	order   []string      // who was admitted
	expels  bool          // an administrator takes the whole path away: nothing is promised
}

type owned struct {
	*semaphore.Permit
	who string
}

// stagePath is the path of a stage's semaphore.
const stagePath = "/s"

// stageT is the least session timeout that a stage grants, stageD how long a lease lasts then.
const (
	stageTick = 2 * time.Second
	stageT    = 2 * stageTick
	stageD    = stageT / 2
)

// onStage plays f in a bubble, with a semaphore of that size.
func onStage(t *testing.T, size int, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Servers, cfg.InMemory, cfg.Tick, cfg.Latency = 3, true, stageTick, time.Millisecond
		cfg.Logf = func(string, ...any) {}
		f(t, &stage{Ensemble: zktest.Start(t, cfg), t: t, size: size, slots: map[int]int64{}})
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
	client, err := session.Open(cmp.Or(s.servers, s.ConnectString()), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.Host(host).Heal()
		client.Close()
	})
	return client
}

// A person is one process with the semaphore.
type person struct {
	*semaphore.Semaphore
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
	mu     sync.Mutex // guards events
	events []semaphore.Event
}

// person makes a process with the semaphore of the stage.
func (s *stage) person(name string, cfg ...semaphore.Config) *person {
	s.t.Helper()
	p := &person{s: s, name: name, host: s.Host(name), client: s.client(name)}
	c := append(cfg, semaphore.Config{})[0]
	c.ID, c.Logger, c.OnEvent = name, logger(name), p.add
	var err error
	if p.Semaphore, err = semaphore.New(p.client, stagePath, s.size, c); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (p *person) add(ev semaphore.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, ev)
}

func (p *person) count(kind semaphore.EventKind) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// acquire waits for a permit, for ten minutes of the bubble at most.
func (p *person) acquire() *semaphore.Permit {
	p.s.t.Helper()
	return <-p.begin(1)
}

// begin acquires n permits in the background.
func (p *person) begin(n int) <-chan *semaphore.Permit {
	got := make(chan *semaphore.Permit, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		permit, err := p.AcquireN(ctx, n)
		if err != nil {
			p.s.t.Errorf("%s: %v", p.name, err)
			close(got)
			return
		}
		p.s.check(p.name, permit)
		got <- permit
	}()
	return got
}

// queue lets a person wait for a permit: it stands in line when queue returns.
func (p *person) queue() <-chan *semaphore.Permit {
	p.s.t.Helper()
	joined := p.count(semaphore.EventJoined)
	got := p.begin(1)
	p.s.eventually("place in line", func() bool { return p.count(semaphore.EventJoined) > joined })
	return got
}

// check compares a permit with all that were handed out before. A permit's Valid goes from true
// to false once, so looking at all whenever one begins finds every moment with too many.
func (s *stage) check(who string, permit *semaphore.Permit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, who)
	s.permits = append(s.permits, owned{permit, who})
	valid, names := 0, []string{}
	taken := map[int]string{}
	for _, p := range s.permits {
		if !p.Valid() {
			continue
		}
		valid += p.N()
		names = append(names, p.who)
		for _, slot := range p.Slots() {
			if other, ok := taken[slot.Number()]; ok && !s.expels {
				s.t.Errorf("%s and %s have slot %d", other, p.who, slot.Number())
			}
			taken[slot.Number()] = p.who
		}
	}
	if valid > s.size && !s.expels {
		s.t.Errorf("%d of %d permits are valid: those of %v", valid, s.size, names)
	}
	for _, slot := range permit.Slots() {
		if before := s.slots[slot.Number()]; before >= slot.Token() {
			s.t.Errorf("%s has slot %d with token %d after %d", who, slot.Number(), slot.Token(), before)
		}
		s.slots[slot.Number()] = slot.Token()
	}
}

// below lists the znodes below a directory of the semaphore.
func (s *stage) below(dir string) (nodes []zktest.Node) {
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Path, stagePath+"/"+dir+"/") {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// none waits until nobody is left in a directory.
func (s *stage) none(dir string) {
	s.t.Helper()
	s.eventually("end of all in "+dir, func() bool { return len(s.below(dir)) == 0 })
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
	return s.session(client)
}

func (s *stage) session(client *session.Client) *session.Session {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	at, err := client.Session(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// release gives a permit away.
func (s *stage) release(p *semaphore.Permit) {
	s.t.Helper()
	if err := p.Release(s.t.Context()); err != nil {
		s.t.Errorf("release: %v", err)
	}
}

// free reports whether nothing comes out of a channel while all others go on for d.
func waits(got <-chan *semaphore.Permit, d time.Duration) bool {
	select {
	case <-got:
		return false
	case <-time.After(d):
		return true
	}
}

func isA[T error](err error) bool {
	var want T
	return errors.As(err, &want)
}
