package election_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Somebody overwrites the record of a line with long leases. A candidate that stands in the line
// was admitted, and goes on expecting leases as long as were allowed until then.
func TestARecordThatIsOverwrittenPutsNobodyOutOfTheLine(t *testing.T) {
	for name, data := range map[string]string{"by something else": "hello", "by nothing": ""} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config = session.Config{Lease: 10 * time.Second, Timeout: 20 * time.Second}
				all, first := s.lineUp("a", "b")
				if _, err := s.Admin().Set(t.Context(), stagePath, []byte(data), -1); err != nil {
					t.Fatal(err)
				}
				await.Sleep(time.Minute)
				if !first.Valid() {
					t.Error("the leader is not one any more")
				}
				all[0].stop()
				await.Sleep(time.Minute)
				if s.leading() != 1 || all[1].events.count(election.EventJoined) != 1 {
					t.Errorf("%d lead; events of the heir:\n%v", s.leading(), all[1].events)
				}
			})
		})
	}
}
