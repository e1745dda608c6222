package election_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// One session leads many elections, and another is the heir in all of them. When the first is cut
// off, one of the heirs revokes its heartbeat, and the takeovers of the others, which are under
// way, fail for that reason. They must not begin to listen again.
func TestElectionsOfTheSameTwoSessionsFailOverTogether(t *testing.T) {
	const n, D = 10, 4 * time.Second
	for seed := range int64(5) {
		onStage(t, zktest.Config{Seed: seed}, func(t *testing.T, s *stage) {
			s.Config = session.Config{Lease: D, Timeout: 15 * time.Second}
			a, b := s.Client("a"), s.Client("b")
			var heirs, led await.List[time.Time]
			for i := range n {
				path := fmt.Sprintf("%s/%d", stagePath, i)
				first, err := election.New(a, path, election.Config{ID: "a"})
				shared.Must(t, err)
				_, err = first.Campaign(t.Context())
				shared.Must(t, err)
				second, err := election.New(b, path, election.Config{ID: "b", OnEvent: func(ev election.Event) {
					switch ev.Kind {
					case election.EventHeir:
						heirs.Add(ev.Time)
					case election.EventElected:
						led.Add(ev.Time)
					}
				}})
				shared.Must(t, err)
				go second.Run(t.Context(), untilTheEnd)
			}
			s.Eventually("heirs", func() bool { return len(heirs.All()) == n })
			await.Sleep(5*D + time.Duration(seed)*37*time.Millisecond)
			s.Host("a").Drop()
			s.Eventually("leaders", func() bool { return len(led.All()) == n })
			if all := led.All(); all[n-1].Sub(all[0]) > D/64 {
				t.Errorf("seed %d: the last one led %v after the first", seed, all[n-1].Sub(all[0]))
			}
			s.Host("a").Heal()
		})
	}
}
