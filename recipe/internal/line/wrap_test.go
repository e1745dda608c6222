package line

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// join joins /e with a configuration of the session and of the place.
func join(t *testing.T, s *session.Session, cfg Config) *Place {
	t.Helper()
	cfg.Dir, cfg.Style, cfg.Clock = "/e", Latch, clock.System
	p, err := Join(t.Context(), s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lead waits until a place may be used, and uses it.
func lead(t *testing.T, p *Place) {
	t.Helper()
	stepUntil(t, p, func(st Standing) bool { return st.Lease != nil })
	p.Lead()
}

// vanish deletes the znode of a leader that is not told of it. Then nobody may lead as long as the
// lease runs.
func vanish(t *testing.T, e *zktest.Ensemble, host string, leader *Place, admin *session.Session) {
	t.Helper()
	e.Host(host).Hold()
	if err := admin.Delete(t.Context(), leader.Path(), -1); err != nil {
		t.Fatal(err)
	}
}

// An old server has counted through all numbers, and gives 0 once more. The record says that 0 is
// over, and the holder of -1 has vanished unseen just before. A place that joins may know the
// record already, because its client was the holder before that one.
func TestTheNumberThatComesAfterAllNumbersIsNotTheFirst(t *testing.T) {
	for name, memory := range map[string]*Memory{"the record is read": nil, "the record is known": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, SequenceWraps: true, Logf: func(string, ...any) {}})
				admin, a, b := open(t, e, "admin"), open(t, e, "a"), open(t, e, "b")
				if err := admin.EnsureNode(t.Context(), "/e", FirstRecord(session.DefaultLease), nil); err != nil {
					t.Fatal(err)
				}
				e.StartSequence("/e", math.MaxInt32-1)
				before := join(t, b, Config{Busy: true, Memory: memory})
				lead(t, before)
				e.StartSequence("/e", -1)
				leader := join(t, a, Config{Busy: true})
				await.Sleep(2 * session.DefaultLease)                                    // no holder can have vanished before that join
				stepUntil(t, leader, func(st Standing) bool { return st.Position == 1 }) // it hears of what follows
				if err := before.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				lead(t, leader)
				vanish(t, e, "a", leader, admin)
				next := join(t, b, Config{Busy: true, Memory: memory})
				if next.number() != 0 {
					t.Fatalf("it joins as %s", next.Name())
				}
				lead(t, next)
				if l := leader.hold.Lease(); l != nil {
					t.Errorf("it leads while the lease of the one before runs for %v more", l.Remaining())
				}
			})
		})
	}
}

// The one with -1 holds, and the one with 0 joins. The one with 1 joins behind it, and goes while
// the one with 0 asks for the ages of all. Nobody can tell the age of that one any more. It must
// not hide the holder.
func TestOneThatGoesWhileTheLineIsListedHidesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trap stage.Trap
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, SequenceWraps: true, Logf: func(string, ...any) {}, OnRequest: trap.Requested})
		admin, a, b, c := open(t, e, "admin"), open(t, e, "a"), open(t, e, "b"), open(t, e, "c")
		if err := admin.EnsureNode(t.Context(), "/e", FirstRecord(session.DefaultLease), nil); err != nil {
			t.Fatal(err)
		}
		e.StartSequence("/e", -1)
		holder := join(t, a, Config{Busy: true})
		lead(t, holder)
		behind := make(chan *Place, 1)
		trap.Set(func(r zktest.Request) bool {
			if r.Host != "b" || r.Op != zktest.OpMulti {
				return false
			}
			go func() {
				await.Sleep(time.Millisecond / 2) // the create is carried out
				e.Host("b").Hold(zktest.ToClient) // but its answer is late
				p := join(t, c, Config{Busy: true})
				trap.Set(func(r zktest.Request) bool {
					if r.Host != "b" || r.Op != zktest.OpExists {
						return false
					}
					go func() {
						e.Host("b").Hold(zktest.ToServer)
						if err := p.Leave(t.Context()); err != nil {
							t.Error(err)
						}
						e.Host("b").Heal()
						behind <- p
					}()
					return true
				})
				e.Host("b").Heal()
			}()
			return true
		})
		own := join(t, b, Config{Busy: true})
		if last := <-behind; own.number() != 0 || last.number() != 1 {
			t.Fatalf("it joins as %s", own.Name())
		}
		if len(own.ahead) == 0 || own.ahead[len(own.ahead)-1].Full != holder.Name() {
			t.Errorf("%s holds; ahead are %v", holder.Name(), own.ahead)
		}
	})
}
