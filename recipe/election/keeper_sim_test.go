package election_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// With ClickHouse Keeper a leader that reconnects has lost its session, while its znode stays until
// that session expires. Its heir takes over as from one that is silent, and it joins again behind.
func TestALeaderWhoseSessionIsReplacedIsSucceededAndJoinsAgain(t *testing.T) {
	onStage(t, zktest.Config{Keeper: true}, func(t *testing.T, s *stage) {
		all, term := s.lineUp("a", "b", "c")
		for i := range 6 {
			leader, next := all[i%3], all[(i+1)%3]
			cut := time.Now()
			leader.host.Cut()
			heir := next.term()
			if took := time.Since(cut); took > 2*stageD {
				t.Errorf("succeeded after %v; want at most %v", took, 2*stageD)
			}
			if term.Valid() || !heir.Valid() {
				t.Errorf("the old term is valid: %v; the new one: %v", term.Valid(), heir.Valid())
			}
			term = heir
			s.Eventually("line of three", func() bool { return len(s.inLine()) == 3 })
		}
	})
}

// A candidate that stands alone waits for its own former place.
func TestALoneLeaderWhoseSessionIsReplacedLeadsAgain(t *testing.T) {
	onStage(t, zktest.Config{Keeper: true}, func(t *testing.T, s *stage) {
		all, _ := s.lineUp("a")
		for range 3 {
			cut := time.Now()
			all[0].host.Cut()
			if all[0].term(); time.Since(cut) > 2*stageD {
				t.Errorf("leads again after %v; want at most %v", time.Since(cut), 2*stageD)
			}
		}
	})
}
