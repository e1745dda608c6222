package feed

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
)

func TestAllIsDeliveredInOrder(t *testing.T) {
	var got, want []int
	f := New(func(i int) { got = append(got, i) }, 1000)
	for i := range 1000 {
		f.Send(i)
		want = append(want, i)
	}
	f.WaitFor(clock.System, await.Bound)
	if !slices.Equal(got, want) || f.Dropped() != 0 {
		t.Errorf("%v, %d dropped", got, f.Dropped())
	}
}

func TestASenderNeverWaitsAndWhatDoesNotFitIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked, release := 0, make(chan struct{})
		f := New(func(int) { blocked++; <-release }, 3)
		for i := range 10 {
			f.Send(i)
			synctest.Wait()
		}
		if f.Dropped() != 6 {
			t.Errorf("%d dropped; want 6 of 10: one is being delivered, three wait", f.Dropped())
		}
		begun := time.Now()
		f.WaitFor(clock.System, time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("waited for %v", took)
		}
		close(release)
		f.WaitFor(clock.System, await.Bound)
		if blocked != 4 {
			t.Errorf("%d delivered", blocked)
		}
	})
}

func TestADeliveryThatEndsItsGoroutineDoesNotEndTheFeed(t *testing.T) {
	n := 0
	f := New(func(int) {
		if n++; n == 1 {
			runtime.Goexit()
		}
	}, 10)
	f.Send(1)
	f.Send(2)
	f.WaitFor(clock.System, await.Bound)
	if n != 2 {
		t.Errorf("%d delivered", n)
	}
}

func TestEachSubscriberHearsAllInOrderWhateverAnotherDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		f := New(func(int) { <-blocked }, 3)
		var got, late []int
		f.Subscribe(func(i int) { got = append(got, i) })
		for i := range 6 {
			if i == 2 {
				f.Subscribe(func(i int) { late = append(late, i) })
			}
			f.Send(i)
			synctest.Wait()
		}
		if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) || !slices.Equal(late, []int{2, 3, 4, 5}) || f.Dropped() != 2 {
			t.Errorf("heard %v and %v; %d dropped, want 2, of the one that blocks", got, late, f.Dropped())
		}
		close(blocked)
		f.WaitFor(clock.System, await.Bound)
	})
}

func TestWhatWaitsForAStoppedSubscriberIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New[int](nil, 10)
		n, blocked := 0, make(chan struct{})
		stop := f.Subscribe(func(int) { n++; <-blocked })
		others := 0
		f.Subscribe(func(int) { others++ })
		for i := range 3 {
			f.Send(i)
		}
		synctest.Wait()
		stop()
		stop()                               // more than once does no harm
		f.WaitFor(clock.System, await.Bound) // not for the delivery that is under way
		close(blocked)
		synctest.Wait()
		f.Send(3)
		f.WaitFor(clock.System, await.Bound)
		if n != 1 || others != 4 {
			t.Errorf("%d and %d delivered; want 1 before the stop, and 4", n, others)
		}
	})
}

func TestASubscriberMayStopItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New[int](nil, 10)
		n := 0
		var stop func()
		stop = f.Subscribe(func(int) { n++; stop() })
		f.Send(1)
		f.Send(2)
		synctest.Wait()
		f.Send(3)
		synctest.Wait()
		if n != 1 {
			t.Errorf("%d delivered", n)
		}
	})
}

// stubborn is a handler that blocks.
type stubborn struct{ slog.Handler }

func (stubborn) Enabled(context.Context, slog.Level) bool { select {} }

func TestALogHandlerThatBlocksDelaysNobody(t *testing.T) {
	log, l := NewLog(slog.New(stubborn{}))
	for range 2 * maxLines {
		log.Info("x")
	}
	if l.Dropped() < maxLines-1 {
		t.Errorf("%d dropped", l.Dropped())
	}
}

func TestLinesArriveWithTheirAttributes(t *testing.T) {
	var out bytes.Buffer
	log, l := NewLog(slog.New(slog.NewTextHandler(&out, nil)))
	log.With("a", 1).WithGroup("g").Warn("said", "b", 2)
	log.Debug("below the handler's level")
	l.Finish(clock.System)
	if got := out.String(); !strings.Contains(got, "level=WARN msg=said a=1 g.b=2\n") || strings.Contains(got, "below") {
		t.Errorf("%q", got)
	}
}
