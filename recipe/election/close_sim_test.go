package election_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The connection is lost for a moment while a program ends. The departure is announced all the
// same, so that the next one need not wait for a lease.
func TestACloseWaitsForADepartureThatIsSlow(t *testing.T) {
	for _, outage := range []time.Duration{50 * time.Millisecond, 300 * time.Millisecond, time.Second} {
		for _, first := range []string{"the context ends", "the client closes"} {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				all, _ := s.lineUp("a", "b")
				await.Sleep(2 * stageT)
				a := all[0]
				a.host.Hold()
				a.host.Cut()
				heal := time.AfterFunc(outage, a.host.Heal)
				defer heal.Stop()
				if first == "the context ends" {
					a.stop()
				}
				a.client.Close()
				all[1].term()
				if all[1].events.count(election.EventWithheld) != 0 {
					t.Errorf("%v, %s: the next one waited for a lease", outage, first)
				}
			})
		}
	}
}
