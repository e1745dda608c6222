package session_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestALeaseCountsFromTheBeginningOfItsBeat(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		for _, slow := range []time.Duration{0, simT / 32} {
			p := hold(t, b.s, "/e")
			l := p.lease(t)
			b.host.Delay(slow)
			await.Sleep(simT)
			var longest time.Duration
			for range 1000 {
				longest = max(longest, l.Remaining())
				await.Sleep(time.Millisecond)
			}
			// The delay applies in both directions.
			if want := b.s.LeaseTime() - 2*slow; longest > want || longest < want-20*time.Millisecond {
				t.Errorf("with a network slow by %v a lease of %v at most, want %v", slow, longest, want)
			}
			p.release()
		}
	})
}

func TestManyPlacesCostOneBeatPerQuarterOfALease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		n := 1000 / rounds.Stride(4)
		var all []*place
		for i := range n {
			all = append(all, hold(t, b.s, fmt.Sprintf("/%d", i)))
		}
		for _, p := range all {
			p.lease(t)
		}
		b.Commits.Reset()
		await.Sleep(10 * b.s.LeaseTime())
		if beats, checks := b.beats(); beats < 38 || beats > 41 || checks != n*beats {
			t.Errorf("%d beats and %d checks in ten leases; want 40, and all places checked in each", beats, checks)
		}
		// A reconnect, and all of them are checked at once.
		b.Commits.Reset()
		b.host.Cut()
		await.Sleep(b.s.LeaseTime() / 4)
		for _, p := range all {
			if l := p.hold.Lease(); l == nil || l.Remaining() < b.s.LeaseTime()/2 {
				t.Fatal("a place is not held again soon after a reconnect")
			}
		}
		if beats, checks := b.beats(); beats < 1 || beats > 3 || checks < n || checks > n*beats {
			t.Errorf("%d beats and %d checks after a reconnect, want one or two that check each of %d places", beats, checks, n)
		}
		// No beat is sent when nothing is held.
		for _, p := range all {
			p.release()
		}
		await.Sleep(b.s.LeaseTime())
		b.Commits.Reset()
		await.Sleep(10 * b.s.LeaseTime())
		if beats, _ := b.beats(); beats != 0 {
			t.Errorf("%d beats, although nothing is held", beats)
		}
	})
}

// A request has a size limit, and the paths of many places are long.
func TestManyPlacesWithLongPathsAreHeld(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: simT, EphemeralBytes: 4 << 20}, func(t *testing.T, b *bubble) {
		var all []*place
		for i := range 400 {
			dir := fmt.Sprintf("/%s%d", strings.Repeat("x", 4000), i)
			all = append(all, hold(t, b.s, dir))
		}
		for _, p := range all {
			p.lease(t)
		}
		leases := make([]*session.Lease, len(all))
		for i, p := range all {
			leases[i] = p.lease(t)
		}
		b.Commits.Reset()
		b.host.Cut()
		await.Sleep(10 * b.s.LeaseTime())
		for i, p := range all {
			if p.hold.Lease() != leases[i] {
				t.Fatalf("the lease has lapsed: %v", p.hold.Err())
			}
		}
		// Four times in a lease, each time in several beats, which follow one another at once.
		if beats, checks := b.beats(); beats < 3*38 || beats > 5*42 || checks < 38*len(all) || checks > 43*len(all) {
			t.Errorf("%d beats, %d checks in ten leases", beats, checks)
		}
	})
}

func TestRenewGivesASignalAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p, l := held(t, b.s)
		p.release() // the place's loop would take the signals
		wake := make(chan struct{}, 1)
		own := b.s.Watch(p.path, wake)
		h := b.s.Hold(own, wake)
		_, _, err := own.Get(t.Context())
		must(t, err)
		<-wake // a lease begins
		await.Sleep(b.s.LeaseTime())
		select {
		case <-wake:
			t.Error("a signal without a Renew")
		default:
		}
		h.Renew()
		begun := time.Now()
		<-wake
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if rest := h.Lease().Remaining(); rest < b.s.LeaseTime()-10*time.Millisecond {
			t.Errorf("the lease runs for %v", rest)
		}
		if l.Valid() {
			t.Error("the lease of a Hold that was released was extended")
		}
	})
}

// Somebody who waits for a lease may ask again before there is an answer. That costs no second
// beat.
func TestRenewCostsOneBeat(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p, _ := held(t, b.s)
		p.release() // the place's loop would take the signals
		wake := make(chan struct{}, 1)
		h := b.s.Reserve(b.s.Watch(p.path, wake), wake)
		await.Sleep(b.s.LeaseTime()) // the first lease is over
		b.SetLatency(10*time.Millisecond, 0)
		before := b.client.Status().Counts.Beats
		h.Keep()
		h.Renew()
		await.Sleep(5 * time.Millisecond)
		h.Renew() // the beat is under way
		<-wake
		await.Sleep(b.s.LeaseTime() / 8) // no beat is due for a while
		if n := b.client.Status().Counts.Beats - before; n != 1 {
			t.Errorf("%d beats", n)
		}
	})
}

func TestASilentServerIsLeftWithinAQuarterOfALease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, l := held(t, b.s)
		for range 20 {
			before := b.client.Status().Counts.Reconnects
			b.ConnOf(b.s.ID()).Drop()
			await.Sleep(b.s.LeaseTime() * 5 / 8) // until the next beat, then D/4, then the handshake
			if after := b.client.Status().Counts.Reconnects; after != before+1 {
				t.Errorf("%d reconnects", after-before)
			}
			if !l.Valid() {
				t.Fatal("the lease has lapsed")
			}
		}
	})
}

func TestTheLeaseIsCutToHalfOfTheTimeoutThatIsGranted(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: time.Hour, Lease: 20 * time.Minute}, func(t *testing.T, b *bubble) {
		granted := 20 * simT / 2
		if b.s.Timeout() != granted || b.s.LeaseTime() != granted/2 || b.client.Status().LeaseTime != granted/2 {
			t.Errorf("T = %v, D = %v", b.s.Timeout(), b.s.LeaseTime())
		}
		_, l := held(t, b.s)
		if rest := l.Remaining(); rest > granted/2 || rest < granted/2-time.Second {
			t.Errorf("a lease of %v", rest)
		}
		if n, _ := b.node(b.s.HeartbeatPath(b.s.ID())); string(n.Data) != (granted / 2).String() {
			t.Errorf("the heartbeat tells others %q", n.Data)
		}
	})
}

// A place that joins needs a beat at once. That beat must not check all other places each time.
func TestManyThatJoinOneAfterAnotherCostOneAnotherNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		const n = 300
		b.Commits.Reset()
		begun := time.Now()
		for i := range n {
			hold(t, b.s, fmt.Sprintf("/%d", i)).lease(t)
		}
		took := time.Since(begun)
		rounds := int(took/(b.s.LeaseTime()/8)) + 1 // in which a place may be checked again
		if _, checks := b.beats(); checks > n*(rounds+1) {
			t.Errorf("%d checks for %d places that joined within %v of a lease of %v", checks, n, took, b.s.LeaseTime())
		}
	})
}
