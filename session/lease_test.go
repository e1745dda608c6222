package session

import (
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// hands is a clock that a test moves.
type hands struct {
	clock.Clock
	mu  sync.Mutex // guards now
	now clock.Instant
}

func (h *hands) Now() clock.Instant {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) set(mono, boot int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = clock.Instant{Mono: mono, Boot: boot}
}

func TestALeaseEndsByWhicheverClockSaysSo(t *testing.T) {
	for _, c := range []struct {
		mono, boot int64
		want       bool
	}{{99, 199, true}, {100, 150, false}, {50, 200, false}} {
		h := &hands{}
		l := newLease(h, clock.Instant{Mono: 100, Boot: 200})
		h.set(c.mono, c.boot)
		if l.Valid() != c.want || (l.Remaining() > 0) != c.want {
			t.Errorf("at %d, %d: valid %v, %v left", c.mono, c.boot, l.Valid(), l.Remaining())
		}
	}
}

func TestALapsedLeaseIsNeverRevived(t *testing.T) {
	h := &hands{}
	l := newLease(h, clock.Instant{Mono: 100, Boot: 100})
	if !l.extend(clock.Instant{Mono: 200, Boot: 200}) {
		t.Error("not extended")
	}
	if !l.extend(clock.Instant{Mono: 150, Boot: 150}) || l.Remaining() != 200 {
		t.Errorf("an earlier end counts: %v left", l.Remaining())
	}
	h.set(200, 200)
	if l.Valid() {
		t.Error("valid at its end")
	}
	// Not even if the clock on which it had lapsed was wrong.
	h.set(10, 10)
	if l.extend(clock.Instant{Mono: 900, Boot: 900}) || l.Valid() {
		t.Error("a lapsed lease was revived")
	}
}

func TestALeaseThatWasSeenLapsedIsNeverSeenValid(t *testing.T) {
	for range 200 {
		l := newLease(clock.System, clock.System.Now().Add(20*time.Microsecond))
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if !l.extend(clock.System.Now().Add(20 * time.Microsecond)) {
					return
				}
			}
		})
		wg.Go(func() {
			for l.Valid() {
			}
			for range 1000 {
				if l.Valid() {
					t.Error("valid again")
					return
				}
			}
		})
		timer := time.AfterFunc(time.Millisecond, l.end)
		wg.Wait()
		timer.Stop()
	}
}

func TestValidDoesNotAllocate(t *testing.T) {
	l := newLease(clock.System, clock.System.Now().Add(time.Hour))
	over := newLease(clock.System, clock.Instant{})
	if n := testing.AllocsPerRun(1000, func() { l.Valid(); over.Valid() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkValid compares Valid with two lower bounds: reading the two clocks that it needs, and
// calling time.Now twice, which does not count suspension. The ratio is that to the first.
func BenchmarkValid(b *testing.B) {
	l := newLease(clock.System, clock.System.Now().Add(time.Hour))
	lap := func(f func()) time.Duration {
		begin := time.Now()
		for range 1000 {
			f()
		}
		return time.Since(begin)
	}
	var valid, clocks, wall time.Duration
	b.ReportAllocs()
	for b.Loop() {
		valid += lap(func() { sinkBool = l.Valid() })
		clocks += lap(func() { sinkInstant = clock.System.Now() })
		wall += lap(func() { sinkTime = time.Now(); sinkTime = time.Now() })
	}
	n := float64(b.N) * 1000
	b.ReportMetric(float64(valid)/n, "ns/valid")
	b.ReportMetric(float64(clocks)/n, "ns/clocks")
	b.ReportMetric(float64(wall)/n, "ns/time.Now*2")
	b.ReportMetric(float64(valid)/float64(clocks), "ratio")
}

var (
	sinkBool    bool
	sinkInstant clock.Instant
	sinkTime    time.Time
)
