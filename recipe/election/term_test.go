package election

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
)

// fakeLease runs until an instant that the test moves.
type fakeLease struct {
	clock clock.Clock
	mu    sync.Mutex
	until clock.Instant
}

func newFakeLease(c clock.Clock, d time.Duration) *fakeLease {
	return &fakeLease{clock: c, until: c.Now().Add(d)}
}

func (l *fakeLease) Remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Until(l.clock.Now())
}
func (l *fakeLease) Valid() bool         { return l.Remaining() > 0 }
func (l *fakeLease) Deadline() time.Time { return l.clock.Wall().Add(l.Remaining()) }
func (l *fakeLease) runFor(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = l.clock.Now().Add(d)
}

// begin makes a term as an election does.
func beginTerm(t *testing.T, c clock.Clock, lease held.Lease, stopBefore time.Duration) *Term {
	term := newTerm(t.Context(), "a", held.Config{Clock: c, Lease: lease, StopBefore: stopBefore})
	term.held.Watch()
	t.Cleanup(term.held.Finish)
	return term
}

// state returns what a user sees of a term.
type seen struct {
	valid, cancelled bool
}

func look(term *Term) seen {
	return seen{term.Valid(), term.Context().Err() != nil}
}

func TestATermEndsInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := newFakeLease(clock.System, 10*time.Second)
		term := beginTerm(t, clock.System, lease, 2*time.Second)
		begun := time.Now()
		if got := look(term); got != (seen{true, false}) {
			t.Fatalf("at the start: %+v", got)
		}
		<-term.Context().Done()
		if at := time.Since(begun); at != 8*time.Second {
			t.Errorf("cancelled after %v, want StopBefore the end", at)
		}
		if got := look(term); got != (seen{true, true}) {
			t.Errorf("between the steps: %+v", got)
		}
		if cause := context.Cause(term.Context()); !errors.Is(cause, recipe.ReasonLeaseExpired) {
			t.Errorf("cause %v", cause)
		}
		await.Sleep(2*time.Second - 1)
		if !term.Valid() {
			t.Error("not valid although the lease runs for another nanosecond")
		}
		await.Sleep(time.Nanosecond)
		if term.Valid() || term.Remaining() > 0 {
			t.Error("valid when the lease is over")
		}
	})
}

func TestAnExtendedLeaseExtendsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := newFakeLease(clock.System, 10*time.Second)
		term := beginTerm(t, clock.System, lease, 2*time.Second)
		for range 100 { // nobody tells the term: its timer finds the lease extended
			await.Sleep(3 * time.Second)
			lease.runFor(10 * time.Second)
			synctest.Wait()
			if got := look(term); got != (seen{true, false}) {
				t.Fatalf("under a lease that is renewed: %+v", got)
			}
		}
		extended := time.Now()
		<-term.Context().Done()
		if at := time.Since(extended); at != 8*time.Second {
			t.Errorf("cancelled %v after the last extension, want 8s", at)
		}
	})
}

func TestABeatBetweenTheStepsDoesNotReviveATerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := newFakeLease(clock.System, 10*time.Second)
		term := beginTerm(t, clock.System, lease, 2*time.Second)
		<-term.Context().Done()
		lease.runFor(time.Hour)
		term.held.Watch()
		synctest.Wait()
		if got := look(term); got != (seen{true, true}) {
			t.Errorf("before the old end: %+v", got)
		}
		await.Sleep(2*time.Second + 1)
		if got := look(term); got != (seen{false, true}) {
			t.Errorf("after the old end: %+v", got)
		}
	})
}

func TestALeaseCutShortEndsTheTermInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := newFakeLease(clock.System, time.Hour)
		term := beginTerm(t, clock.System, lease, 2*time.Second)
		lease.runFor(5 * time.Second)
		term.held.Watch() // as on the signal of the session
		begun := time.Now()
		<-term.Context().Done()
		if at := time.Since(begun); at != 3*time.Second {
			t.Errorf("cancelled after %v, want 3s", at)
		}
	})
}

func TestOurOwnEndTakesValidityAtOnce(t *testing.T) {
	for r := recipe.ReasonReleased; r <= recipe.ReasonNodeDeleted; r++ {
		if r == recipe.ReasonLeaseExpired {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			term := beginTerm(t, clock.System, newFakeLease(clock.System, time.Hour), time.Second)
			why := errors.New("why")
			term.held.End(r, why)
			term.held.End(recipe.ReasonPanicked, errors.New("later"))
			if got := look(term); got != (seen{false, true}) {
				t.Errorf("%v: %+v", r, got)
			}
			if term.Remaining() != 0 {
				t.Errorf("%v: %v remain", r, term.Remaining())
			}
			if c := term.held.Ended(); c == nil || c.Reason != r || c.Err != why {
				t.Errorf("%v: cause %v", r, c)
			}
		})
	}
}

// lateClock is that of a process whose timers do not fire and whose time the test moves.
type lateClock struct {
	clock.Clock
	mu  sync.Mutex
	now clock.Instant
}

func newLateClock() *lateClock { return &lateClock{Clock: clock.System, now: clock.System.Now()} }

func (c *lateClock) Now() clock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}
func (c *lateClock) AfterFunc(time.Duration, func()) func() bool { return func() bool { return true } }
func (c *lateClock) pass(mono, boot time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Mono += int64(mono)
	c.now.Boot += int64(boot)
}

func TestAfterAPauseTheFirstLookTells(t *testing.T) {
	for name, past := range map[string][2]time.Duration{
		"paused":    {11 * time.Second, 11 * time.Second},
		"suspended": {0, 11 * time.Second}, // the monotonic clock stood still
	} {
		t.Run(name, func(t *testing.T) {
			c := newLateClock()
			term := beginTerm(t, c, newFakeLease(c, 10*time.Second), 2*time.Second)
			c.pass(past[0], past[1])
			if term.Valid() {
				t.Error("the first Valid is true")
			}
			c = newLateClock()
			term = beginTerm(t, c, newFakeLease(c, 10*time.Second), 2*time.Second)
			c.pass(past[0], past[1])
			if err := term.Context().Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("the first Err is %v", err)
			}
			if cause := context.Cause(term.Context()); !errors.Is(cause, recipe.ReasonLeaseExpired) {
				t.Errorf("cause %v", cause)
			}
			select {
			case <-term.Context().Done():
			default:
				t.Error("Err tells, Done does not")
			}
		})
	}
}

// A timer counts on the monotonic clock alone, which stands still while the host is suspended.
func TestAfterASuspensionATermIsCancelledInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &suspendable{Clock: clock.System, begun: time.Now()}
		term := beginTerm(t, c, newFakeLease(c, 10*time.Second), 2*time.Second)
		await.Sleep(time.Second)
		c.suspended.Store(int64(5 * time.Second))
		<-term.Context().Done()
		if at := time.Since(c.begun); at != 3*time.Second {
			t.Errorf("cancelled after %v, and 5s of suspension; want 3s", at)
		}
	})
}

// suspendable is the clock of a host that has been suspended for some time.
type suspendable struct {
	clock.Clock
	begun     time.Time
	suspended atomic.Int64
}

func (c *suspendable) Now() clock.Instant {
	mono := int64(time.Hour + time.Since(c.begun))
	return clock.Instant{Mono: mono, Boot: mono + c.suspended.Load()}
}

func TestErrTellsBetweenTheStepsToo(t *testing.T) {
	c := newLateClock()
	term := beginTerm(t, c, newFakeLease(c, 10*time.Second), 2*time.Second)
	c.pass(7*time.Second, 7*time.Second)
	if got := look(term); got != (seen{true, false}) {
		t.Errorf("before the first step: %+v", got)
	}
	c.pass(time.Second, time.Second)
	if got := look(term); got != (seen{true, true}) {
		t.Errorf("between the steps: %+v", got)
	}
}

func TestContextsMadeFromATermsEndWithIt(t *testing.T) {
	type key struct{}
	ctx, cancelUser := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	term := newTerm(ctx, "a", held.Config{Clock: clock.System, Lease: newFakeLease(clock.System, time.Hour), StopBefore: time.Second})
	child, cancel := context.WithTimeout(term.Context(), time.Hour)
	defer cancel()
	if child.Value(key{}) != "value" {
		t.Error("the values of Run's context are lost")
	}
	cancelUser()
	if term.Context().Err() != nil {
		t.Error("the context of a term ends before the term")
	}
	before := runtime.NumGoroutine()
	term.held.End(recipe.ReasonUnhealthy, nil)
	<-child.Done()
	if !errors.Is(context.Cause(child), recipe.ReasonUnhealthy) {
		t.Errorf("the cause of a child is %v", context.Cause(child))
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// The documentation says so wherever it says that the first Err tells.
func TestAContextMadeFromATermsLearnsOfAPauseWhenSomebodyLooksAtTheTerm(t *testing.T) {
	c := newLateClock()
	term := beginTerm(t, c, newFakeLease(c, 10*time.Second), 2*time.Second)
	child, cancel := context.WithCancel(term.Context())
	defer cancel()
	c.pass(11*time.Second, 11*time.Second)
	if err := child.Err(); err != nil {
		t.Errorf("its Err is %v before any timer: the documentation promises too little", err)
	}
	if term.Context().Err() == nil {
		t.Error("the term's own Err tells nothing")
	}
	<-child.Done()
	if cause := context.Cause(child); !errors.Is(cause, recipe.ReasonLeaseExpired) {
		t.Errorf("its cause is %v", cause)
	}
}

func TestATermIsNeverOverForOneAndOnForAnother(t *testing.T) {
	// Many look at once while the lease runs out: nobody sees it valid after somebody saw it over.
	lease := newFakeLease(clock.System, 20*time.Millisecond)
	term := beginTerm(t, clock.System, lease, 10*time.Millisecond)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for over := false; !over; {
				cancelled := term.Context().Err() != nil
				if over = !term.Valid(); over && term.Context().Err() == nil {
					t.Error("not valid, and the context goes on")
				}
				if cancelled && term.Context().Err() == nil {
					t.Error("a context was revived")
				}
			}
		})
	}
	wg.Wait()
}

func TestValidAllocatesNothing(t *testing.T) {
	term := beginTerm(t, clock.System, newFakeLease(clock.System, time.Hour), time.Second)
	if n := testing.AllocsPerRun(100, func() { term.Valid() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = term.Context().Err() }); n != 0 {
		t.Errorf("%v allocations in Err", n)
	}
}
