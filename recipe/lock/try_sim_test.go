package lock_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Nobody is in the line when a holder has crashed and its session has expired, but its lease may
// run. No other contender is needed for the lock to be free again.
func TestTryWaitsForALeaseThatMayRun(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		s.Session(c.client)
		old := a.acquire()
		a.host.Drop()
		begun := time.Now()
		s.ExpireSession(s.Session(a.client).ID())
		ctx, cancel := context.WithTimeout(t.Context(), stageD/4)
		_, err := b.TryAcquire(ctx)
		cancel()
		want(t, err, context.DeadlineExceeded)
		if err != nil && !strings.Contains(err.Error(), "lease") {
			t.Errorf("%v does not say what it has waited for", err)
		}
		if !old.Valid() {
			t.Error("the lease has not outlived the session: nothing is shown")
		}
		for len(s.inLine()) > 0 { // its znode is deleted in the background
			await.Sleep(time.Millisecond)
		}
		second := s.begin("b", b.TryAcquire, false) // compared with the old one
		for len(s.inLine()) == 0 {
			await.Sleep(time.Millisecond)
		}
		_, err = c.TryAcquire(t.Context())
		want(t, err, lock.ErrBusy) // another waits
		h := <-second
		if took := time.Since(begun); took > 2*stageD {
			t.Errorf("it took %v", took)
		}
		release(t, h)
	})
}

func TestTryReturnsByItsContext(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		a.host.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := a.TryAcquire(ctx)
		want(t, err, context.DeadlineExceeded)
		if took := time.Since(begun); took > 1100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}
