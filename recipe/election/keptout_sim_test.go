package election_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A candidate that was cut off has lost its session to its heir. If the heir has left when the link
// is mended, nobody stands in the line, and the candidate leads again at once, each time.
func TestACandidateWhoseSessionWasTakenOverIsNotKeptOut(t *testing.T) {
	for _, cfg := range leases {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			s.Config = cfg
			a := s.enter("a")
			a.term()
			for range 10 {
				b := s.enter("b")
				s.Eventually("b is the heir", func() bool { return len(s.inLine()) == 2 })
				await.Sleep(2 * cfg.Lease)
				a.host.Drop()
				b.term()
				b.stop()
				await.Sleep(cfg.Lease)
				a.host.Heal()
				mended := time.Now()
				a.term()
				if took := time.Since(mended); took > cfg.Lease/4+time.Second/4 {
					t.Errorf("D %v: leads again %v after the link was mended", cfg.Lease, took)
				}
			}
		})
	}
}

// A process that is stopped again and again for longer than its lease loses its term and its
// session each time. Others lead meanwhile. It is in the line again at once, each time.
func TestACandidateThatLosesItsLeaseIsNotKeptOut(t *testing.T) {
	for _, cfg := range leases {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			s.Config = cfg
			all, _ := s.lineUp("a", "b", "c")
			for i := range 36 {
				leader, next := all[i%3], all[(i+1)%3]
				await.Sleep(2 * cfg.Lease)
				joined := leader.events.count(election.EventJoined)
				leader.host.Drop()
				next.term()
				leader.host.Heal()
				mended := time.Now()
				leader.events.wait(election.EventJoined, joined+1)
				if took := time.Since(mended); took > cfg.Lease/4+time.Second/4 {
					t.Errorf("D %v: in line %v after the link was mended", cfg.Lease, took)
				}
			}
		})
	}
}

// A candidate that waits loses its session again and again. It is in the line again at once, each
// time.
func TestACandidateThatLosesItsSessionIsNotKeptOut(t *testing.T) {
	for _, cfg := range leases {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			s.Config = cfg
			all, _ := s.lineUp("a", "b")
			waiting := all[1]
			for range 12 {
				await.Sleep(2 * cfg.Lease)
				joined := waiting.events.count(election.EventJoined)
				s.ExpireSession(waiting.client.Status().Session)
				over := time.Now()
				waiting.events.wait(election.EventJoined, joined+1)
				if took := time.Since(over); took > cfg.Lease/4+time.Second/4 {
					t.Errorf("D %v: in line %v after the session was over", cfg.Lease, took)
				}
			}
		})
	}
}
