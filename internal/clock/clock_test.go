package clock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
)

func TestADeadlineHasPassedWhenEitherClockSaysSo(t *testing.T) {
	deadline := Instant{Mono: 100, Boot: 1000}
	for _, c := range []struct {
		now  Instant
		want bool
	}{
		{Instant{99, 999}, false},
		{Instant{100, 999}, true},
		{Instant{99, 1000}, true},
		{Instant{100, 1000}, true},
	} {
		if got := deadline.Passed(c.now); got != c.want {
			t.Errorf("Passed at %+v = %v, want %v", c.now, got, c.want)
		}
		if got := deadline.Reached(c.now); got != (c.now == Instant{100, 1000}) {
			t.Errorf("Reached at %+v = %v", c.now, got)
		}
		if got := deadline.Until(c.now) <= 0; got != c.want {
			t.Errorf("Until at %+v says passed = %v, want %v", c.now, got, c.want)
		}
	}
	if !(Instant{}).Passed(System.Now()) {
		t.Error("the zero Instant has not passed")
	}
}

func TestAgeIsTheLongerOfTheTwoClocks(t *testing.T) {
	if got := (Instant{10, 50}).Sub(Instant{5, 20}); got != 30 {
		t.Errorf("Sub = %d, want 30", got)
	}
}

func TestBothClocksOfTheSystemAdvance(t *testing.T) {
	a := System.Now()
	for b := System.Now(); b.Mono == a.Mono || b.Boot == a.Boot; b = System.Now() {
		if b.Mono < a.Mono || b.Boot < a.Boot {
			t.Fatalf("went back from %+v to %+v", a, b)
		}
	}
}

func TestAWallClockThatIsSetBackGoesOn(t *testing.T) {
	var f forward
	begun := time.Now()
	at := func(mono, wall time.Duration) time.Duration {
		return time.Duration(f.now(int64(mono), begun.Add(wall)) - begun.UnixNano())
	}
	at(0, 0)
	for _, c := range []struct{ mono, wall, want time.Duration }{
		{time.Second, time.Second, time.Second},
		{2 * time.Second, -time.Hour, 2 * time.Second}, // set back
		{3 * time.Second, -time.Hour + time.Second, 3 * time.Second},
		{4 * time.Second, -time.Hour + time.Minute, time.Minute + 2*time.Second},               // suspended, or set forward
		{5 * time.Second, -time.Hour + time.Minute - time.Second, time.Minute + 3*time.Second}, // set back again
		{6 * time.Second, -time.Hour + 2*time.Minute, 2*time.Minute + 4*time.Second},
	} {
		if got := at(c.mono, c.wall); got != c.want {
			t.Errorf("after %v, with the wall clock at %v: %v; want %v", c.mono, c.wall, got, c.want)
		}
	}
}

func TestInABubbleBothClocksAreTheBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := System.Now()
		await.Sleep(time.Hour)
		b := System.Now()
		if got := time.Duration(b.Mono - a.Mono); got != time.Hour {
			t.Errorf("monotonic clock moved by %v, want 1h", got)
		}
		if got := time.Duration(b.Boot - a.Boot); got != time.Hour {
			t.Errorf("boot clock moved by %v, want 1h", got)
		}
	})
}

// With the race detector, timers of Go that are due at once would crash the test.
func TestCallsThatAreDueAtOnceRunInABubble(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 50 {
						done := make(chan struct{})
						stop := System.AfterFunc(0, func() { close(done) })
						<-done
						if stop() {
							t.Error("stopped although it has run")
						}
					}
				})
			}
			all.Wait()
		})
	}
}

func TestWithTimeoutTellsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(t.Context(), System, time.Minute)
		defer cancel()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			t.Errorf("cause = %v", context.Cause(ctx))
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sleep(ctx, System, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestATimerCanBeSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timer := NewTimer(System)
		defer timer.Stop()
		begin := time.Now()
		timer.Reset(time.Hour)
		timer.Reset(time.Minute)
		<-timer.C
		if got := time.Since(begin); got != time.Minute {
			t.Errorf("fired after %v, want 1m", got)
		}
		timer.Reset(time.Minute)
		timer.Stop()
		await.Sleep(time.Hour)
		select {
		case <-timer.C:
			t.Error("a stopped timer fired")
		default:
		}
	})
}

func TestTheClockTravelsInTheContext(t *testing.T) {
	if From(t.Context()) != System {
		t.Error("a plain context does not mean the system clock")
	}
	other := &fake{}
	if From(With(t.Context(), other)) != Clock(other) {
		t.Error("the clock put in did not come out")
	}
}

type fake struct{ system }

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		System.Now()
	}
}
