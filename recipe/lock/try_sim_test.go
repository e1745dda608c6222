package lock_test

import (
	"context"
	"slices"
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

// One tries at each moment before, during and after a release. The lock is busy only if the holder
// was in the line after the try had begun. A try that finds it busy writes nothing, and none leaves
// anything.
func TestTryInTheMomentOfARelease(t *testing.T) {
	outcomes := map[bool]int{}
	for at := -8 * time.Millisecond; at <= 8*time.Millisecond; at += time.Millisecond / 2 {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			a, b := s.process("a"), s.process("b")
			own := s.Session(b.client).ID()
			held := a.acquire()
			released := make(chan struct{})
			time.AfterFunc(20*time.Millisecond, func() {
				release(t, held)
				close(released)
			})
			await.Sleep(20*time.Millisecond + at)
			begun, written := time.Now(), s.Commits.Len()
			got, err := b.TryAcquire(t.Context())
			if err == nil {
				s.turns.Begin(t, "b", got, false) // held may not be valid any more
			}
			outcomes[err == nil]++
			<-released
			gone := s.Commits.Next(t, "end of the holder", 0, 1, func(c zktest.Commit) bool {
				return c.Err == zktest.CodeOK && slices.ContainsFunc(c.Changes, func(one zktest.Change) bool {
					return one.Op == zktest.OpDelete && one.Path == held.Node()
				})
			})
			if err == nil {
				release(t, got)
			} else {
				want(t, err, lock.ErrBusy)
				if gone.Time.Before(begun) {
					t.Errorf("at %v: busy, %v after the holder has gone", at, begun.Sub(gone.Time))
				}
				for _, c := range s.Commits.All()[written:] {
					if c.Session == own {
						t.Errorf("at %v: it has written %+v", at, c)
					}
				}
			}
			if n := len(s.inLine()); n != 0 {
				t.Errorf("at %v: %d are left", at, n)
			}
			release(t, b.acquire())
		})
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Errorf("outcomes %v: want both", outcomes)
	}
}
