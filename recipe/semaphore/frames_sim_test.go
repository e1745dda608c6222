package semaphore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// counter does something at the n-th request of the host "a" from the start on.
type counter struct {
	n  int
	mu sync.Mutex // guards what follows
	// seen is how many requests there were while do was not nil.
	seen int
	do   func()
}

func (c *counter) request(r zktest.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.do == nil || r.Host != "a" || r.Op == zktest.OpPing {
		return
	}
	if c.seen++; c.seen == c.n {
		c.do()
	}
}

func (c *counter) start(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = do
}

// stop reports whether the n-th request has come.
func (c *counter) stop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = nil
	return c.seen >= c.n
}

// usable demands that nothing is left and that all permits can be had again, by others, at once if
// no lease need be waited for.
func (s *stage) usable(within time.Duration) {
	s.T.Helper()
	s.none("leases")
	s.none("locks")
	begun := time.Now()
	var all []*semaphore.Permit
	for i := range s.size {
		all = append(all, s.process(fmt.Sprint("after", i)).acquire())
	}
	if took := time.Since(begun); took > within {
		s.T.Errorf("it took %v until all permits were held again", took)
	}
	for _, p := range all {
		s.release(p)
	}
}

// A ctx that ends at any request of an Acquire leaves nothing behind, and nobody has to wait for a
// lease because of it.
func TestACancelAtAnyRequestLeavesNothingBehind(t *testing.T) {
	for _, full := range []bool{false, true} {
		for n, more := 1, true; more; n++ {
			c := &counter{n: n}
			onStage(t, 2, zktest.Config{OnRequest: c.request}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				s.Session(a.client)
				held := []*semaphore.Permit{b.acquire()}
				if full {
					held = append(held, b.acquire())
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c.start(cancel)
				if full {
					time.AfterFunc(stageD, func() { held[1].Release(context.Background()) })
				}
				p, err := a.Acquire(ctx)
				more = c.stop()
				if err == nil {
					s.check(t, "a", p)
					s.release(p)
				}
				if more && err == nil && !full && n < 8 {
					t.Errorf("acquired although cancelled at request %d", n)
				}
				for _, p := range held {
					p.Release(t.Context())
				}
				s.usable(stageD / 2)
			})
			if n > 500 {
				t.Fatal("no end")
			}
		}
	}
}

// A lost answer or a lost request at any time of an Acquire and a Release only makes it slower.
func TestALossAtAnyRequestIsSurvived(t *testing.T) {
	for _, effect := range []zktest.Effect{zktest.LoseReply, zktest.LoseRequest} {
		for _, slots := range []bool{false, true} {
			for n, more := 1, true; more; n++ {
				c := &counter{n: n}
				onStage(t, 2, zktest.Config{OnRequest: c.request}, func(t *testing.T, s *stage) {
					cfg := semaphore.Config{Slots: slots}
					a, b := s.process("a", cfg), s.process("b", cfg)
					s.Session(a.client)
					first, second := b.acquire(), b.acquire()
					c.start(func() {})
					rule := s.On(zktest.Match{Host: "a", Nth: n}, effect)
					time.AfterFunc(time.Second, func() { second.Release(context.Background()) })
					p := a.acquire()
					if p == nil {
						t.Fatalf("at request %d, with slots %v", n, slots)
					}
					p.Release(t.Context())
					rule.Remove()
					more = c.stop()
					s.release(first)
					s.none("leases")
					s.none("locks")
				})
				if n > 500 {
					t.Fatal("no end")
				}
			}
		}
	}
}
