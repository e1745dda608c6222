package semaphore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The sessions that hold permits are twice as many as a waiting one listens to at a time. The
// session timeout is so long that rounds of turns fit between two re-checks. A holder that is in
// the second turn crashes.
func TestEachOfManySessionsHasItsTurnToBeListenedTo(t *testing.T) {
	rounds.All(t)
	const turns, turn = 2, 2 * stageD
	const size = turns * 16
	onStage(t, size, zktest.Config{Tick: 4 * stageTick}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 16*turns*turn, stageD
		for i := range size {
			s.process(fmt.Sprint("holder ", i)).acquire()
		}
		got := s.process("w").queue()
		await.Sleep(stageD)
		s.Host(fmt.Sprint("holder ", size-1)).Hold()
		crash := time.Now()
		<-got
		if took := time.Since(crash); took > turns*turn+stageD*21/16+stageD/4 {
			t.Errorf("the permit is given away after %v; a lease is %v", took, stageD)
		}
	})
}
