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

// Several in the middle of the line leave, as in a deployment. Those behind them do not hear of that at
// once, but a candidate that joins then sees a short line. It must not take for dead an heir that does not
// beat because it does not know yet that it is the heir.
func TestAnHeirThatDoesNotKnowYetThatItIsOneIsNotTakenForDead(t *testing.T) {
	for seed := 0; seed < 10; seed += rounds.Stride(4) {
		onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
			s.Config = session.Config{Lease: 4 * time.Second, Timeout: 15 * time.Second}
			var names []string
			for i := range 10 {
				names = append(names, fmt.Sprint("old", i))
			}
			all, _ := s.lineUp(names...)
			await.Sleep(time.Minute + time.Duration(seed)*time.Second)
			for i, a := range all[:8] {
				if i > 0 { // the first one last, so that nobody who waits hears of the others
					a.stop()
				}
			}
			all[0].stop()
			all[8].term()
			fresh := s.enter("fresh")
			fresh.events.wait(election.EventJoined, 1)
			await.Sleep(time.Minute)
			if n := all[9].events.count(election.EventJoined); n != 1 || fresh.events.count(election.EventTookOver) != 0 {
				t.Errorf("seed %d: the heir joined %d times; the one behind it took over %d times; events of the heir:\n%v",
					seed, n, fresh.events.count(election.EventTookOver), all[9].events)
			}
		})
	}
}

// The same, and the leader crashes just when the heir has to find out that it is the heir.
func TestAnHeirThatDoesNotKnowYetThatItIsOneFindsOutSoon(t *testing.T) {
	const D = 4 * time.Second
	for _, n := range []int{6, 10} {
		for seed := 0; seed < 4; seed += rounds.Stride(2) {
			onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
				s.Config = session.Config{Lease: D, Timeout: 15 * time.Second}
				var names []string
				for i := range n {
					names = append(names, fmt.Sprint("old", i))
				}
				all, _ := s.lineUp(names...)
				await.Sleep(time.Minute + time.Duration(seed)*time.Second)
				for _, a := range all[1 : n-2] {
					a.stop()
				}
				all[0].stop()
				all[n-2].term()
				begun := time.Now()
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

// An heir that has beaten before, for another place, does not beat either before it knows.
func TestAnHeirThatHasLedBeforeIsNotTakenForDead(t *testing.T) {
	for seed := 0; seed < 8; seed += rounds.Stride(4) {
		onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
			s.Config = session.Config{Lease: 4 * time.Second, Timeout: 15 * time.Second}
			heir := s.enter("heir")
			term := heir.term()
			var all []*candidate
			for i := range 9 {
				a := s.enter(fmt.Sprint("old", i))
				a.events.wait(election.EventJoined, 1)
				all = append(all, a)
			}
			await.Sleep(5 * time.Second)
			term.Resign()
			heir.events.wait(election.EventJoined, 2)
			await.Sleep(time.Minute + time.Duration(seed)*time.Second)
			for _, a := range all[1:8] {
				a.stop()
			}
			all[0].stop()
			all[8].term()
			fresh := s.enter("fresh")
			fresh.events.wait(election.EventJoined, 1)
			await.Sleep(time.Minute)
			if n := heir.events.count(election.EventJoined); n != 2 || heir.client.Status().Counts.Lost != 0 || fresh.events.count(election.EventTookOver) != 0 {
				t.Errorf("seed %d: the heir joined %d times; the one behind it took over %d times; events of the heir:\n%v",
					seed, n, fresh.events.count(election.EventTookOver), heir.events)
			}
		})
	}
}
