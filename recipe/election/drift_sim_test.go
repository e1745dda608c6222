package election_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A drifting clock runs at a rate of its own.
type drifting struct {
	rate  float64
	begin time.Time
}

func (c drifting) Now() clock.Instant {
	now := int64(c.rate * float64(time.Since(c.begin)+time.Hour))
	return clock.Instant{Mono: now, Boot: now}
}

func (drifting) Wall() time.Time { return time.Now() }
func (drifting) Random() float64 { return rand.Float64() }

// AfterFunc is late by a moment: one that came too early would be set anew without end.
func (c drifting) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(time.Duration(float64(d)/c.rate)+time.Microsecond, f).Stop
}

// enterAt starts a candidate whose clock drifts, and which leads until the last moment.
func (s *stage) enterAt(name string, rate float64) *candidate {
	s.Config.Context = clock.With(context.Background(), drifting{rate, time.Now()})
	return s.enterWith(name, election.Config{}, func(_ context.Context, term *election.Term) error {
		for term.Valid() {
			time.Sleep(time.Millisecond)
		}
		return nil
	})
}

// The leader's clock is slow and its heir's is fast, by as much as is allowed. The leader hears
// nothing; its znode is deleted, at some moment between two beats, or it just falls silent.
func TestAWaitForALeaseAllowsForClocksThatDrift(t *testing.T) {
	const D = time.Second
	for step := 0; step < 32; step += rounds.Stride(4) {
		for _, deleted := range []bool{true, false} {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config = session.Config{Lease: D, Timeout: 10 * time.Second}
				a := s.enterAt("a", 0.97)
				first := a.term()
				b := s.enterAt("b", 1.03)
				admin := s.Admin()
				await.Sleep(2*D + time.Duration(step)*D/128)
				s.deafen(a, first)
				if deleted {
					if err := admin.Delete(t.Context(), first.Node(), -1); err != nil {
						t.Fatal(err)
					}
				} else {
					a.host.Hold()
				}
				b.term() // compared with the first
			})
		}
	}
}
