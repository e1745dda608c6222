package election_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// stageLeases are longer than the other tests', so that a session timeout is much longer than a
// lease.
var stageLeases = session.Config{Lease: 4 * time.Second, Timeout: 15 * time.Second}

// join lets n candidates join the line one after another.
func (s *stage) join(n int) (all []*candidate) {
	s.T.Helper()
	for i := range n {
		a := s.enter(fmt.Sprint("old", i))
		a.events.wait(election.EventJoined, 1)
		all = append(all, a)
	}
	return all
}

// shrink lets all leave but the last, which then leads. The first one leaves last, so that nobody
// who waits hears of the others.
func shrink(all []*candidate) {
	last := len(all) - 1
	for _, a := range all[1:last] {
		a.stop()
	}
	all[0].stop()
	all[last].term()
}

// Several in the middle of the line leave, as in a deployment. Those behind them do not hear of
// that at once, but a candidate that joins then sees a short line. It must not take for dead an
// heir that does not beat because it does not know yet that it is the heir. An heir that has beaten
// before, for another place, does not beat either before it knows.
func TestAnHeirThatDoesNotKnowYetThatItIsOneIsNotTakenForDead(t *testing.T) {
	for _, ledBefore := range []bool{false, true} {
		for seed := 0; seed < 10; seed += rounds.Stride(4) {
			onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
				s.Config = stageLeases
				var all []*candidate
				var heir *candidate
				joins := 1
				if ledBefore {
					heir, joins = s.enter("heir"), 2
					term := heir.term()
					all = s.join(9)
					await.Sleep(5 * time.Second)
					term.Resign()
				} else {
					all = s.join(9)
					heir = s.enter("heir")
				}
				heir.events.wait(election.EventJoined, joins)
				await.Sleep(time.Minute + time.Duration(seed)*time.Second)
				shrink(all)
				fresh := s.enter("fresh")
				fresh.events.wait(election.EventJoined, 1)
				await.Sleep(time.Minute)
				n, took, lost := heir.events.count(election.EventJoined), fresh.events.count(election.EventTookOver), heir.client.Status().Counts.Lost
				if n != joins || took != 0 || lost != 0 {
					t.Errorf("led before: %v, seed %d: the heir joined %d times and lost %d sessions; the one behind it took over %d times; events of the heir:\n%v",
						ledBefore, seed, n, lost, took, heir.events)
				}
			})
		}
	}
}

// The leader crashes just when the heir has to find out that it is the heir.
func TestAnHeirThatDoesNotKnowYetThatItIsOneFindsOutSoon(t *testing.T) {
	for _, n := range []int{6, 10} {
		for seed := 0; seed < 4; seed += rounds.Stride(2) {
			onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
				s.Config = stageLeases
				all := s.join(n)
				await.Sleep(time.Minute + time.Duration(seed)*time.Second)
				shrink(all[:n-1])
				begun, D := time.Now(), stageLeases.Lease
				all[n-2].host.Drop()
				all[n-1].term()
				// It asks after 3/4 of D at most. Then it takes as long as after any crash.
				if took := time.Since(begun); took > D*(12+19)/16+D/32 {
					t.Errorf("%d in line, seed %d: the next one led after %v", n, seed, took)
				}
			})
		}
	}
}
