package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAllEnterTogetherAndLeaveTogetherRoundAfterRound(t *testing.T) {
	for seed := range int64(4) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			const n = 4
			rng := rand.New(rand.NewPCG(1, uint64(seed)))
			var doubles []*barrier.Double
			for _, h := range hosts(n) {
				doubles = append(doubles, s.double(h, n))
			}
			for range 5 {
				var all []*entering
				var rounds []*barrier.Round
				for i, d := range doubles {
					for _, e := range all {
						e.outside(t)
					}
					await.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
					all = append(all, s.enterBy(t.Context(), fmt.Sprint(i), d))
				}
				for _, e := range all {
					rounds = append(rounds, e.in(t))
				}
				for _, r := range rounds {
					if !r.Valid() || r.Context().Err() != nil {
						t.Errorf("inside: %v", context.Cause(r.Context()))
					}
				}
				left := make(chan struct{})
				go func() {
					leave(t, rounds[1:]...)
					close(left)
				}()
				await.Sleep(stageT)
				select {
				case <-left:
					t.Fatal("they left while one was inside")
				default:
				}
				leave(t, rounds[0])
				<-left
				if nodes := s.listed(); len(nodes) != 0 {
					t.Errorf("%d znodes left", len(nodes))
				}
			}
		})
	}
}

func TestOneMoreIsAnError(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		if err := s.enter("c", 2).refused(t); !errors.Is(err, barrier.ErrFull) {
			t.Error(err)
		}
		await.Sleep(time.Second)
		if n := len(s.listed()); n != 3 {
			t.Errorf("%d znodes", n)
		}
		leave(t, ra, rb)
	})
	for seed := range int64(15) { // three at the same time, for two
		onStage(t, seed, func(t *testing.T, s *stage) {
			var doubles []*barrier.Double
			for _, h := range hosts(3) {
				d := s.double(h, 2)
				doubles = append(doubles, d)
			}
			s.makePath()
			await.Sleep(time.Second)
			var all []*entering
			for i, d := range doubles {
				all = append(all, s.enterBy(s.Within(stageT), fmt.Sprint(i), d))
			}
			await.Sleep(2 * stageT)
			in, full := 0, 0
			for _, e := range all {
				select {
				case _, ok := <-e.round:
					if ok {
						in++
					} else if errors.Is(e.err, barrier.ErrFull) || errors.Is(e.err, context.DeadlineExceeded) {
						full++
					} else {
						t.Error(e.err)
					}
				default:
				}
			}
			if in != 2 || full != 1 {
				t.Errorf("seed %d: %d inside, %d not", seed, in, full)
			}
		})
	}
}

// The one that the others wait for is killed.
func TestTheCrashOfTheLastOneWakesTheOthers(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var all []*entering
		for _, h := range hosts(4) {
			all = append(all, s.enter(h, 4))
		}
		var rounds []*barrier.Round
		for _, e := range all {
			rounds = append(rounds, e.in(t))
		}
		time.AfterFunc(10*time.Second, func() { s.Host("h2").Drop() })
		gone := make(chan time.Time, 1)
		go func() {
			time.Sleep(time.Second)
			s.Eventually("the end of the last one", func() bool { return len(s.listed()) <= 1 })
			gone <- time.Now()
		}()
		leave(t, rounds[0], rounds[1], rounds[3])
		if after := time.Since(<-gone); after > 100*time.Millisecond {
			t.Errorf("they left %v after the last one was gone", after)
		}
		if rounds[2].Valid() {
			t.Error("the one that was killed counts itself inside")
		}
	})
}

func TestALeaveThatIsCutShortCanBeRepeated(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2).in, s.enter("b", 2).in
		ra, rb := a(t), b(t)
		err := ra.Leave(s.Within(time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || ra.Valid() || !strings.Contains(err.Error(), dir+": others that are inside still: 1") {
			t.Errorf("%v, valid %v", err, ra.Valid())
		}
		if !rb.Valid() || len(s.listed()) != 2 {
			t.Errorf("the other: %v; %d znodes", rb.Valid(), len(s.listed()))
		}
		s.Expire("a") // it has no znode any more, and waits on
		time.AfterFunc(stageT, func() { leave(t, rb) })
		leave(t, ra)
		if n := len(s.listed()); n != 0 {
			t.Errorf("%d znodes left", n)
		}
	})
}

func TestAnEnterThatFailsLeavesNothingAndIsNotCounted(t *testing.T) {
	for name, fail := range map[string]func(s *stage, cancel func()) (want error){
		"its context ends": func(s *stage, cancel func()) error { cancel(); return context.Canceled },
		"its session ends": func(s *stage, cancel func()) error { s.Expire("a"); return recipe.ReasonSessionLost },
		"its znode is taken": func(s *stage, cancel func()) error {
			must(s.T, s.Admin().Delete(s.T.Context(), s.listed()[0].Path, -1))
			return recipe.ReasonNodeDeleted
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				a := s.enterBy(ctx, "a", s.double("a", 2))
				s.Eventually("its znode", func() bool { return len(s.listed()) == 1 })
				await.Sleep(time.Second)
				want := fail(s, cancel)
				err := a.refused(t)
				if name == "its session ends" && errors.Is(err, recipe.ReasonNodeDeleted) {
					want = err // heard of first
				}
				if !errors.Is(err, want) || want == context.Canceled && !strings.Contains(err.Error(), dir+": 1 of 2 members are there") {
					t.Errorf("%v; want %v", err, want)
				}
				s.Eventually("its end", func() bool { return len(s.listed()) == 0 })
				b := s.enter("b", 2)
				await.Sleep(2 * stageT)
				b.outside(t)
				c := s.enter("c", 2)
				leave(t, b.in(t), c.in(t))
			})
		})
	}
}

// The reply to each request in turn is lost. All enter nevertheless, and all leave.
func TestAnyLostReplyIsSurvived(t *testing.T) {
	for _, op := range []zktest.Op{zktest.OpMulti, zktest.OpCreate, zktest.OpGetData, zktest.OpGetChildren2, zktest.OpDelete} {
		for n := 1; n <= 4; n++ {
			for _, effect := range []zktest.Effect{zktest.LoseReply, zktest.LoseRequest} {
				onStage(t, 1, func(t *testing.T, s *stage) {
					a := s.enter("a", 3)
					await.Sleep(time.Second)
					s.On(zktest.Match{Op: op, Nth: n}, effect)
					b, c := s.enter("b", 3), s.enter("c", 3)
					leave(t, a.in(t), b.in(t), c.in(t))
					await.Sleep(time.Second)
					if nodes := s.listed(); len(nodes) != 0 {
						t.Errorf("%v of %v %d: %d znodes left, as %s", effect, op, n, len(nodes), nodes[0].Path)
					}
				})
			}
		}
	}
}

func TestARoundEndsWithItsLeaseAndWithItsClient(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		s.Host("a").Drop()
		await.Sleep(stageD * 17 / 16)
		if ra.Valid() || !errors.Is(context.Cause(ra.Context()), recipe.ReasonLeaseExpired) {
			t.Errorf("%v, %v", ra.Valid(), context.Cause(ra.Context()))
		}
		s.Host("a").Heal()
		c := s.Client("c")
		d, err := barrier.NewDouble(c, dir, 1, barrier.Config{})
		must(t, err)
		leave(t, ra, rb)
		rc, err := d.Enter(t.Context())
		must(t, err)
		must(t, c.Close())
		if rc.Valid() || !errors.Is(context.Cause(rc.Context()), recipe.ReasonClosed) {
			t.Errorf("%v, %v", rc.Valid(), context.Cause(rc.Context()))
		}
		for _, n := range s.listed() {
			if n.Stat.EphemeralOwner != 0 {
				t.Errorf("%s is left", n.Path)
			}
		}
	})
}

func TestManyEnterWithFewLists(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		const n = 60
		var all []*entering
		c := s.Client("many")
		d, err := barrier.NewDouble(c, dir, n, barrier.Config{})
		must(t, err)
		s.makePath()
		before := s.Counts().Requests[zktest.OpGetChildren2]
		for i := range n {
			all = append(all, s.enterBy(t.Context(), fmt.Sprint(i), d))
			await.Sleep(time.Millisecond)
		}
		for _, e := range all {
			e.in(t)
		}
		if lists := s.Counts().Requests[zktest.OpGetChildren2] - before; lists > 10*n {
			t.Errorf("%d lists for %d members", lists, n)
		} else {
			t.Logf("%d lists for %d members", lists, n)
		}
	})
}

func TestWhatIsRefusedAtOnce(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.Client("a")
		for _, n := range []int{-1, 0, 100_000} {
			if _, err := barrier.NewDouble(c, dir, n, barrier.Config{}); err == nil {
				t.Errorf("%d members", n)
			}
		}
		for _, path := range []string{"", "/", "x", "/x/", "/" + strings.Repeat("x", 5000)} {
			if _, err := barrier.New(c, path, barrier.Config{}); err == nil {
				t.Errorf("%.10q", path)
			}
		}
		if _, err := barrier.New(nil, dir, barrier.Config{}); err == nil {
			t.Error("no client")
		}
		for _, cfg := range []barrier.Config{{ID: "a\nb"}, {ID: strings.Repeat("x", 300)}, {StopBefore: time.Hour}} {
			if _, err := barrier.NewDouble(c, dir, 2, cfg); err == nil {
				t.Errorf("%+v", cfg)
			}
		}
	})
}
