package session

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

const (
	paceD = 1600 * time.Millisecond
	paceT = 8 * time.Second
	every = paceD / 4
)

// at returns the instant d after a beginning that is not the zero Instant.
func at(d time.Duration) clock.Instant { return clock.Instant{Mono: 1, Boot: 1e6}.Add(d) }

// calm is a connected session with a place, whose latest beat succeeded.
func calm(change func(*beating)) beating {
	b := beating{connected: true, wanted: true, oldest: at(0), lease: paceD, T: paceT}
	if change != nil {
		change(&b)
	}
	return b
}

func TestWhenToBeatAndWhenToMove(t *testing.T) {
	idle := pace{begun: at(0)}
	waiting := pace{pending: true, begun: at(0)}
	for _, c := range []struct {
		name string
		p    pace
		now  time.Duration
		b    beating
		do   step
		wait time.Duration
	}{
		{"the first beat at once", pace{}, 0, calm(nil), stepBeat, every},
		{"none while nothing is held", pace{}, 0, calm(func(b *beating) { b.wanted = false }), stepWait, forever},
		{"none without a connection", idle, every, calm(func(b *beating) { b.connected = false }), stepWait, forever},
		{"not yet", idle, every / 4, calm(nil), stepWait, every * 3 / 4},
		{"the next one", idle, every, calm(nil), stepBeat, every},
		{"a late one", idle, 10 * every, calm(nil), stepBeat, every},
		{"somebody waits", idle, every / 8, calm(func(b *beating) { b.soon = true }), stepBeat, every},
		{"again soon after a failure", idle, every / 16, calm(func(b *beating) { b.failed = true }), stepWait, paceD/32 - every/16},
		{"then again", idle, paceD / 32, calm(func(b *beating) { b.failed = true }), stepBeat, every},
		{"nobody's hurry repeats a failure at once", idle, 0, calm(func(b *beating) { b.failed, b.soon = true, true }), stepWait, paceD / 32},
		{"one at a time", waiting, every / 2, calm(func(b *beating) { b.pending, b.soon = true, true }), stepWait, every / 2},
		{"unanswered for too long", waiting, every, calm(func(b *beating) { b.pending = true }), stepMove, forever},
		{"answered in time", waiting, every, calm(nil), stepBeat, every},
		{"failed in time", waiting, every, calm(func(b *beating) { b.failed = true }), stepBeat, every},
		{"answered", waiting, every / 2, calm(nil), stepWait, every / 2},
		{"nothing to give up", waiting, 2 * every, calm(func(b *beating) { b.pending, b.connected = true, false }), stepWait, forever},
		{"unanswered though nothing is held any more", waiting, every, calm(func(b *beating) { b.pending, b.wanted = true, false }), stepMove, forever},
	} {
		p := c.p
		do, wait := p.next(at(c.now), c.b)
		if do != c.do || wait != c.wait {
			t.Errorf("%s: %d after %v, want %d after %v", c.name, do, wait, c.do, c.wait)
		}
		if p.pending != (do == stepBeat || do == stepMove || c.p.pending && c.b.pending) {
			t.Errorf("%s: pending is %v", c.name, p.pending)
		}
	}
}

// Each of the two clocks may stop: a beat is due when either clock says so.
func TestABeatIsDueByEitherClock(t *testing.T) {
	for _, now := range []clock.Instant{{Mono: 1 + int64(every), Boot: 1e6}, {Mono: 1, Boot: 1e6 + int64(every)}} {
		p := pace{begun: at(0)}
		if do, _ := p.next(now, calm(nil)); do != stepBeat {
			t.Errorf("at %+v: %d", now, do)
		}
	}
}

// moves returns when each of the first connections is given up, counted from the begin of a beat,
// if no beat is ever answered.
func moves(p *pace, b beating, n int) (times []time.Duration) {
	b.pending = true
	for now := time.Duration(0); len(times) < n; {
		do, wait := p.next(at(now), b)
		if do != stepMove {
			now += wait
			continue
		}
		times = append(times, now)
		// There is another connection at once, and the lost request has failed.
		b.pending, b.failed = false, true
		for p.next(at(now), b); !p.pending; {
			now += paceD / 32
			p.next(at(now), b)
		}
		b.pending = true
	}
	return times
}

// The second connection may still save the lease. After that, the ensemble as a whole may be slow,
// and each move makes it slower.
func TestTwoSilentServersAreGivenUpSoonAndThenMovesBecomeRarer(t *testing.T) {
	p := pace{pending: true, begun: at(0)}
	times := moves(&p, calm(nil), 10)
	gaps := []time.Duration{times[0]}
	for i, at := range times[1:] {
		gaps = append(gaps, at-times[i])
	}
	for i, gap := range gaps {
		if i < 2 && gap > every+paceD/32 {
			t.Errorf("connection %d is given up after %v", i, gap)
		}
		if i > 0 && gap < gaps[i-1]-paceD/16 { // a retry's delay more or less
			t.Errorf("gaps shrink: %v", gaps)
		}
	}
	if gap := gaps[len(gaps)-1]; gap < paceT*2/3 || gap > paceT*2/3+every {
		t.Errorf("gaps %v; want them to grow to 2T/3 = %v", gaps, paceT*2/3)
	}
	// After an answer, the patience is at most twice the time of that answer.
	last := times[len(times)-1] + paceD/32 // when the beat began that waits now
	for _, c := range []struct {
		took time.Duration
		do   step
		wait time.Duration
	}{{every/2 + 1, stepWait, 2}, {every / 2, stepMove, forever}, {every, stepWait, every}, {paceT / 8, stepWait, paceT/4 - every}} {
		q := p
		q.begun = at(last)
		done := calm(func(b *beating) { b.soon = true })
		if do, _ := q.next(at(last+c.took), done); do != stepBeat {
			t.Fatal("no beat after an answer")
		}
		done.pending = true
		if do, wait := q.next(at(last+c.took+every), done); do != c.do || wait != c.wait {
			t.Errorf("a beat was answered after %v, the next was not: %d after %v, want %d after %v", c.took, do, wait, c.do, c.wait)
		}
	}
}
