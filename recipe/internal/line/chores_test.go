package line

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A session with very many places asks no more often for each: all of them together would keep the
// server too busy for its heartbeat.
func TestReadsGrowRarerWithTheNumberOfPlaces(t *testing.T) {
	count := func(places int) (asked int64) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
			lineUp(t, e)
			third := enterLine(t, e, "third")
			for i := range places {
				third.s.Reserve(third.s.Watch(fmt.Sprintf("/other/%d", i), third.wake), third.wake)
			}
			before := e.Counts().Requests[zktest.OpExists]
			for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
				st, err := third.Step(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				select {
				case <-third.Woken():
				case <-time.After(min(st.Next, time.Until(end))):
				}
			}
			asked = int64(e.Counts().Requests[zktest.OpExists] - before)
		})
		return asked
	}
	// With D = 1 s and T = 2 s in two minutes: every 0.25 s about the first, every 0.5 s about two;
	// then every 0.75 s about the first, every 20 s about two.
	if few, many := count(0), count(20000); few < 900 || many > 240 {
		t.Errorf("asked %d times with one place and %d times with 20,000", few, many)
	}
}

// One read of the record tells of all that have announced their departure.
func TestManyDeparturesAtTheFrontCostTheLastOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		first := enterLine(t, e, "first")
		front := []*Place{first}
		for range 19 {
			p, err := Join(t.Context(), first.s, first.cfg)
			if err != nil {
				t.Fatal(err)
			}
			front = append(front, p)
		}
		last := enterLine(t, e, "last")
		stepUntil(t, last, func(st Standing) bool { return st.Position == 20 })
		for _, p := range front[:15] {
			if err := p.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		before := e.Counts().Requests
		if err := last.s.Sync(t.Context(), last.path); err != nil {
			t.Fatal(err)
		}
		if err := last.askKept(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := e.Counts().Requests
		exists, gets := after[zktest.OpExists]-before[zktest.OpExists], after[zktest.OpGetData]-before[zktest.OpGetData]
		// About the one before the nearest and the first; the record; about the first that is left.
		if last.Position() != 5 || exists > 3 || gets > 1 {
			t.Errorf("%d are left ahead; it asked %d times and read %d times", last.Position(), exists, gets)
		}
	})
}

// The one before the nearest has gone, and so have both of them by the time that the record is
// read. What was known of the nearest is not true of the next one, which we have no permission to
// read.
func TestWhatWasKnownOfOneThatIsSkippedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		own := zk.ACL{Scheme: "auth", Perms: zk.PermAll}
		if err := enterLine(t, e, "admin").Leave(t.Context()); err != nil { // the paths are everybody's
			t.Fatal(err)
		}
		hidden := enterWith(t, e, "hidden", session.Config{Auth: []session.Auth{session.Digest("u", "p")}}, []zk.ACL{own})
		stepUntil(t, hidden, func(st Standing) bool { return st.Lease != nil })
		hidden.Lead()
		second, third, fourth := enterLine(t, e, "second"), enterLine(t, e, "third"), enterLine(t, e, "fourth")
		last := enterLine(t, e, "last")
		leave := func(p *Place) {
			if err := p.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := last.s.Sync(t.Context(), last.path); err != nil {
				t.Fatal(err)
			}
		}
		leave(fourth)
		if err := last.askWatched(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave(second)
		leave(third)
		if err := last.askKept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last.Position() != 1 {
			t.Fatalf("%d are left ahead", last.Position())
		}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			st, err := last.Step(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if st.Lease != nil && hidden.hold.Lease() != nil {
				t.Fatalf("it leads, and so does the first for %v; took over %q", hidden.hold.Lease().Remaining(), st.TookOver)
			}
			select {
			case <-last.Woken():
			case <-time.After(min(st.Next, time.Second)):
			}
		}
		if hidden.own.Deleted() {
			t.Error("the first was taken for dead")
		}
	})
}

// One that has very many places, and has beaten once, becomes the heir without being told. It must
// find that out before the one behind it takes it for dead.
func TestAnHeirWithVeryManyPlacesFindsOutInTime(t *testing.T) {
	for seed := range int64(10) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Seed: seed, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
			leader, second := lineUp(t, e)
			if err := second.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			busy := enterLine(t, e, "busy")
			stepUntil(t, busy, func(Standing) bool { return busy.hold.Lease() != nil })
			if err := busy.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			second = enterLine(t, e, "second")
			busy, err := Join(t.Context(), busy.s, busy.cfg)
			if err != nil {
				t.Fatal(err)
			}
			for range 10000 {
				busy.s.Reserve(busy.own, busy.wake)
			}
			last := enterLine(t, e, "last")
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			defer all.Wait()
			defer cancel()
			for _, p := range []*Place{second, busy, last} {
				all.Go(func() {
					for ctx.Err() == nil {
						st, err := p.Step(ctx, 0)
						if err != nil {
							if ctx.Err() == nil {
								t.Errorf("seed %d: %v", seed, err)
							}
							return
						}
						if st.TookOver != "" {
							t.Errorf("seed %d: took over from %s", seed, st.TookOver)
						}
						if st.Lease != nil {
							p.Lead()
						}
						select {
						case <-p.Woken():
						case <-time.After(st.Next):
						case <-ctx.Done():
						}
					}
				})
			}
			await.Sleep(20*time.Second + time.Duration(seed)*time.Second)
			if err := leader.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			await.Sleep(20 * time.Second)
		})
	}
}

// One process may win many elections at one moment. It does not ask about all of them at one moment
// later.
func TestPlacesThatAreWonTogetherAskOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		p := enterLine(t, e, "first")
		watched, _ := p.chores.every(p)
		const wins = 1000
		var quarters [4]int // of the time until the next question
		for range wins {
			p.Lead()
			left := p.chores.watched.Add(watched).Until(p.cfg.Clock.Now())
			quarters[min(int(4*left/watched), 3)]++
		}
		for _, n := range quarters {
			if n < wins/8 || n > wins/2 {
				t.Fatalf("of %d they ask in each quarter of the time: %v", wins, quarters)
			}
		}
	})
}
