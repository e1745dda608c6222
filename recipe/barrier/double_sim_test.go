package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// entering is one who enters, on a host of its own.
type entering struct {
	host  string
	round chan *barrier.Round // one, or closed after an error
	err   error
}

func (s *stage) double(host string, n int) *barrier.Double {
	s.t.Helper()
	d, err := barrier.NewDouble(s.client(host), dir, n, barrier.Config{ID: host})
	must(s.t, err)
	return d
}

func (s *stage) enter(host string, n int) *entering {
	s.t.Helper()
	return s.enterBy(s.t.Context(), host, s.double(host, n))
}

func (s *stage) enterBy(ctx context.Context, host string, d *barrier.Double) *entering {
	e := &entering{host: host, round: make(chan *barrier.Round, 1)}
	go func() {
		r, err := d.Enter(ctx)
		if e.err = err; err != nil {
			close(e.round)
			return
		}
		e.round <- r
	}()
	return e
}

// in waits until it is inside.
func (e *entering) in(t *testing.T) *barrier.Round {
	t.Helper()
	select {
	case r, ok := <-e.round:
		if !ok {
			t.Fatalf("%s: %v", e.host, e.err)
		}
		return r
	case <-time.After(patience):
		t.Fatalf("%s does not enter", e.host)
	}
	return nil
}

// refused waits for its error.
func (e *entering) refused(t *testing.T) error {
	t.Helper()
	select {
	case _, ok := <-e.round:
		if ok {
			t.Fatalf("%s has entered", e.host)
		}
	case <-time.After(patience):
		t.Fatalf("%s waits on", e.host)
	}
	return e.err
}

// outside demands that it has not entered.
func (e *entering) outside(t *testing.T) {
	t.Helper()
	select {
	case r := <-e.round:
		t.Fatalf("%s has entered: %v (%v)", e.host, r != nil, e.err)
	default:
	}
}

// leave lets all leave at the same time, and returns when all have.
func leave(t *testing.T, rounds ...*barrier.Round) {
	t.Helper()
	var all sync.WaitGroup
	for i, r := range rounds {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := r.Leave(ctx); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func hosts(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("h", i))
	}
	return names
}

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
					time.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
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
				time.Sleep(stageT)
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

// All of a round are killed. Its "ready" stays, and must not let those in who come next.
func TestAReadyThatIsLeftOverLetsNobodyIn(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var all []*entering
		for _, h := range hosts(3) {
			all = append(all, s.enter(h, 3))
		}
		for _, e := range all {
			e.in(t)
		}
		for _, h := range hosts(3) {
			s.Host(h).Drop()
		}
		s.eventually("their end", func() bool { n := s.listed(); return len(n) == 1 && n[0].Path == dir+"/ready" })
		a := s.enter("a", 3)
		time.Sleep(2 * stageT)
		a.outside(t)
		b := s.enter("b", 3)
		time.Sleep(2 * stageT)
		a.outside(t)
		b.outside(t)
		c := s.enter("c", 3)
		leave(t, a.in(t), b.in(t), c.in(t))
		if n := len(s.listed()); n != 0 {
			t.Errorf("%d znodes left", n)
		}
	})
}

func TestOneMoreIsAnError(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		if err := s.enter("c", 2).refused(t); !errors.Is(err, barrier.ErrFull) {
			t.Error(err)
		}
		time.Sleep(time.Second)
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
			time.Sleep(time.Second)
			var all []*entering
			for i, d := range doubles {
				all = append(all, s.enterBy(s.within(stageT), fmt.Sprint(i), d))
			}
			time.Sleep(2 * stageT)
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

func (s *stage) makePath() { must(s.t, s.admin().EnsurePath(s.t.Context(), dir, nil)) }

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
			s.eventually("the end of the last one", func() bool { return len(s.listed()) <= 1 })
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
		if err := ra.Leave(s.within(time.Second)); !errors.Is(err, context.DeadlineExceeded) || ra.Valid() {
			t.Errorf("%v, valid %v", err, ra.Valid())
		}
		if !rb.Valid() || len(s.listed()) != 2 {
			t.Errorf("the other: %v; %d znodes", rb.Valid(), len(s.listed()))
		}
		s.expire("a") // it has no znode any more, and waits on
		time.AfterFunc(stageT, func() { leave(t, rb) })
		leave(t, ra)
		if n := len(s.listed()); n != 0 {
			t.Errorf("%d znodes left", n)
		}
	})
}

// Data that change, reconnects, and znodes of others under the path.
func TestNoiseLetsNobodyIn(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 3), s.enter("b", 3)
		time.Sleep(time.Second)
		admin := s.admin()
		must(t, admin.EnsurePath(t.Context(), dir+"/config", nil))
		before := s.Counts().Requests[zktest.OpGetChildren2]
		for i := range 20 {
			_, err := admin.Create(t.Context(), fmt.Sprintf("%s/x%d", dir, i), nil, zk.FlagEphemeral, nil)
			must(t, err)
			for _, n := range s.listed() {
				_, err := admin.Set(t.Context(), n.Path, []byte("noise"), -1)
				must(t, err)
			}
			s.Host([]string{"a", "b"}[i%2]).Cut()
			time.Sleep(100 * time.Millisecond)
		}
		a.outside(t)
		b.outside(t)
		if lists := s.Counts().Requests[zktest.OpGetChildren2] - before; lists > 100 {
			t.Errorf("%d lists", lists)
		}
		ra, rb, rc := a.in, b.in, s.enter("c", 3).in(t)
		leave(t, ra(t), rb(t), rc)
	})
}

func TestAnEnterThatFailsLeavesNothingAndIsNotCounted(t *testing.T) {
	for name, fail := range map[string]func(s *stage, cancel func()) (want error){
		"its context ends": func(s *stage, cancel func()) error { cancel(); return context.Canceled },
		"its session ends": func(s *stage, cancel func()) error { s.expire("a"); return recipe.ReasonSessionLost },
		"its znode is taken": func(s *stage, cancel func()) error {
			must(s.t, s.admin().Delete(s.t.Context(), s.listed()[0].Path, -1))
			return recipe.ReasonNodeDeleted
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				a := s.enterBy(ctx, "a", s.double("a", 2))
				s.eventually("its znode", func() bool { return len(s.listed()) == 1 })
				time.Sleep(time.Second)
				want := fail(s, cancel)
				err := a.refused(t)
				if name == "its session ends" && errors.Is(err, recipe.ReasonNodeDeleted) {
					want = err // heard of first
				}
				if !errors.Is(err, want) {
					t.Errorf("%v; want %v", err, want)
				}
				s.eventually("its end", func() bool { return len(s.listed()) == 0 })
				b := s.enter("b", 2)
				time.Sleep(2 * stageT)
				b.outside(t)
				c := s.enter("c", 2)
				leave(t, b.in(t), c.in(t))
			})
		})
	}
}

// A reply to each request in turn is lost: all enter all the same, and all leave.
func TestAnyLostReplyIsSurvived(t *testing.T) {
	for _, op := range []zktest.Op{zktest.OpMulti, zktest.OpCreate, zktest.OpGetData, zktest.OpGetChildren2, zktest.OpDelete} {
		for n := 1; n <= 4; n++ {
			for _, effect := range []zktest.Effect{zktest.LoseReply, zktest.LoseRequest} {
				onStage(t, 1, func(t *testing.T, s *stage) {
					a := s.enter("a", 3)
					time.Sleep(time.Second)
					s.On(zktest.Match{Op: op, Nth: n}, effect)
					b, c := s.enter("b", 3), s.enter("c", 3)
					leave(t, a.in(t), b.in(t), c.in(t))
					time.Sleep(time.Second)
					if nodes := s.listed(); len(nodes) != 0 {
						t.Errorf("%v of %v %d: %d znodes left, as %s", effect, op, n, len(nodes), nodes[0].Path)
					}
				})
			}
		}
	}
}

// Rounds among faults: whoever is inside is so with n - 1 others whose znodes existed with its own, at the
// commit that let it in. Nobody is let in otherwise.
func TestNobodyIsLetInAlone(t *testing.T) {
	const n = 3
	for seed := range int64(3) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(9, uint64(seed)))
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for _, h := range hosts(n + 1) { // one more than there is room for
				d := s.double(h, n)
				all.Go(func() {
					for ctx.Err() == nil {
						r, err := d.Enter(ctx)
						if err != nil {
							time.Sleep(stageT / 10)
							continue
						}
						time.Sleep(stageT / 8)
						bounded, cancel := context.WithTimeout(ctx, stageT)
						r.Leave(bounded)
						cancel()
					}
				})
			}
			for range 40 {
				h := fmt.Sprint("h", rng.IntN(n+1))
				switch rng.IntN(5) {
				case 0:
					s.Host(h).Cut()
				case 1:
					s.Host(h).Hold()
					time.AfterFunc(time.Duration(rng.Int64N(int64(2*stageT))), s.Host(h).Heal)
				case 2:
					s.expire(h)
				}
				time.Sleep(time.Duration(rng.Int64N(int64(stageT / 2))))
			}
			for _, h := range hosts(n + 1) {
				s.Host(h).Heal()
			}
			stop()
			all.Wait()
			s.checkRounds(n, seed)
		})
	}
}

// checkRounds replays the commits: each "ready" is created when n members exist that it names, and
// deleted when none of them does.
func (s *stage) checkRounds(n int, seed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	var inside []string
	rounds := 0
	for _, c := range s.commits {
		for _, ch := range c.Changes {
			name, ok := strings.CutPrefix(ch.Path, dir+"/")
			switch {
			case !ok || ch.Op == zktest.OpCheck:
			case name == "ready" && ch.Op == zktest.OpCreate:
				inside = strings.Fields(string(ch.Data))[3:]
				rounds++
				if len(inside) != n {
					s.t.Errorf("seed %d: a round of %d", seed, len(inside))
				}
				for _, m := range inside {
					if !there[m] {
						s.t.Errorf("seed %d: %s was let in without a znode", seed, m)
					}
				}
			case name == "ready":
				for _, m := range inside {
					if there[m] {
						s.t.Errorf("seed %d: %s is inside a round that was declared over", seed, m)
					}
				}
			case ch.Op == zktest.OpCreate:
				there[name] = true
			case ch.Op == zktest.OpDelete:
				delete(there, name)
			}
		}
	}
	if rounds == 0 {
		s.t.Errorf("seed %d: no round: nothing was tested", seed)
	}
}

func TestARoundEndsWithItsLeaseAndWithItsClient(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		s.Host("a").Drop()
		time.Sleep(stageD * 17 / 16)
		if ra.Valid() || !errors.Is(context.Cause(ra.Context()), recipe.ReasonLeaseExpired) {
			t.Errorf("%v, %v", ra.Valid(), context.Cause(ra.Context()))
		}
		s.Host("a").Heal()
		c := s.client("c")
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
		c := s.client("many")
		d, err := barrier.NewDouble(c, dir, n, barrier.Config{})
		must(t, err)
		s.makePath()
		before := s.Counts().Requests[zktest.OpGetChildren2]
		for i := range n {
			all = append(all, s.enterBy(t.Context(), fmt.Sprint(i), d))
			time.Sleep(time.Millisecond)
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
		c := s.client("a")
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

// The last one to come has read the list when one of those in it goes.
func TestNobodyIsCountedThatHasGone(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.makePath()
		admin := s.admin()
		ctx, cancel := context.WithCancel(t.Context())
		s.enterBy(ctx, "a", s.double("a", 2))
		s.eventually("its znode", func() bool { return len(s.listed()) == 1 })
		node := s.listed()[0].Path
		d := s.double("b", 2)
		s.Host("a").Hold() // else that one may count
		// It reads the path's data last, before it counts.
		deleted := make(chan error, 1)
		s.trap("b", dir, func() {
			s.Host("b").Delay(stageD/10, zktest.ToServer)
			deleted <- admin.Delete(t.Context(), node, -1)
		})
		s.enterBy(t.Context(), "b", d)
		must(t, <-deleted)
		cancel()
		time.Sleep(time.Second)
		s.checkMembers(t)
	})
}

// checkMembers demands of each "ready" that the members that it names existed when it was created.
func (s *stage) checkMembers(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	for _, c := range s.commits {
		for _, ch := range c.Changes {
			name, ok := strings.CutPrefix(ch.Path, dir+"/")
			switch {
			case !ok:
			case name == "ready" && ch.Op == zktest.OpCreate:
				for _, m := range strings.Fields(string(ch.Data))[3:] {
					if !there[m] {
						t.Errorf("%s was let in without a znode", m)
					}
				}
			case ch.Op == zktest.OpCreate:
				there[name] = true
			case ch.Op == zktest.OpDelete:
				delete(there, name)
			}
		}
	}
}

// One who leaves has found the round over, and deletes its "ready" when others have done so before and
// the next round is under way. All is as it was, but for the version of the path's data.
func TestALateDeletionOfReadySparesTheNextRound(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		// What one of them sends after it has read the path arrives late.
		s.trap("a", dir, func() { s.Host("a").Delay(time.Second, zktest.ToServer) })
		go leave(t, ra)
		leave(t, rb)
		c, d := s.enter("c", 2), s.enter("d", 2)
		rc, rd := c.in(t), d.in(t)
		time.Sleep(2 * time.Second)
		s.Host("a").Heal()
		ready := false
		for _, n := range s.listed() {
			ready = ready || n.Path == dir+"/ready"
		}
		if !ready {
			t.Error("the next round's ready was deleted")
		}
		leave(t, rc, rd)
	})
}

// trap calls do at the next read of the data of path from that host.
func (s *stage) trap(host, path string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trapped = func(r zktest.Request) {
		if r.Host == host && r.Op == zktest.OpGetData && r.Path == path {
			s.trapped = nil
			go do()
		}
	}
}

func (s *stage) requested(r zktest.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trapped != nil {
		s.trapped(r)
	}
}
