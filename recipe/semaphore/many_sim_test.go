package semaphore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Each of several permits at once has a znode of its own. Thousands of them are created, and
// deleted, in the time of an attempt, also if the servers are far away. The end is announced.
func TestThousandsOfPermitsAtOnce(t *testing.T) {
	for name, of := range map[string]struct {
		n       int
		latency time.Duration
	}{
		"as many as there can be": {10_000, time.Millisecond},
		"servers far away":        {2000, 5 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			n := of.n / rounds.Stride(5)
			onStage(t, n, zktest.Config{Latency: of.latency}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				begun := time.Now()
				permit := <-a.begin(n)
				if took := time.Since(begun); took > 2*stageT {
					t.Errorf("it took %v", took)
				}
				await.Sleep(2 * stageD)
				if !permit.Valid() || permit.N() != n {
					t.Errorf("valid %v, for %d permits", permit.Valid(), permit.N())
				}
				next := b.queue()
				begun = time.Now()
				s.release(permit)
				other := <-next
				if took := time.Since(begun); took > stageD/2 {
					t.Errorf("the next one has waited for %v", took)
				}
				s.release(other)
				s.none("leases")
				if failed := a.count(semaphore.EventFailed) + b.count(semaphore.EventFailed); failed > 0 {
					t.Errorf("%d attempts have failed", failed)
				}
			})
		})
	}
}

// A session has room for a number of ephemeral znodes. An AcquireN that needs more says so, and
// does not try for ever.
func TestMorePermitsAtOnceThanASessionHasRoomForAreRefused(t *testing.T) {
	onStage(t, 100, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config = session.Config{EphemeralBytes: 5000}
		a := s.process("a")
		begun := time.Now()
		_, err := a.AcquireN(s.Within(shared.Patience), 80)
		var permanent *recipe.PermanentError
		if !errors.Is(err, session.ErrTooManyEphemerals) || errors.As(err, &permanent) || time.Since(begun) > stageD {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
		if err != nil {
			shared.Says(t, err, "80 permits at once", "at most 5000, Config.EphemeralBytes")
		}
		s.none("leases")
		s.release(<-a.begin(50))
		s.none("leases")
	})
}

// An AcquireN that gives up while its znodes are created leaves none of them.
func TestManyPermitsThatAreGivenUpLeaveNothing(t *testing.T) {
	for _, after := range []time.Duration{10 * time.Millisecond, 30 * time.Millisecond, 90 * time.Millisecond} {
		onStage(t, 2000, zktest.Config{}, func(t *testing.T, s *stage) {
			a, b := s.process("a"), s.process("b")
			if _, err := a.AcquireN(s.Within(after), 2000); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v", err)
			}
			begun := time.Now()
			s.release(<-b.begin(2000))
			if took := time.Since(begun); took > stageD {
				t.Errorf("given up after %v: the next one took %v", after, took)
			}
			s.none("leases")
			s.none("locks")
		})
	}
}
