package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// byHand is a place whose watch the test itself leaves, when it likes.
func byHand(t *testing.T, b *bed, dir string) (own *session.Watch, h *session.Hold, wake chan struct{}) {
	t.Helper()
	must(t, b.s.EnsurePath(t.Context(), dir, nil))
	path, err := b.s.CreatePlace(t.Context(), dir, "n-", nil, nil)
	must(t, err)
	wake = make(chan struct{}, 1)
	own = b.s.Watch(path, wake)
	return own, b.s.Hold(own, wake), wake
}

// pathOf returns the one place of a directory.
func pathOf(t *testing.T, b *bed, dir string) string {
	t.Helper()
	names, _, err := b.s.Children(t.Context(), dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return dir + "/" + names[0]
}

func arm(t *testing.T, own *session.Watch) {
	t.Helper()
	_, _, err := own.Get(t.Context())
	must(t, err)
}

// Nobody knows whether a znode exists on which no watch was left.
func TestWithoutAWatchThereIsNoLease(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		_, other := held(t, b.s)
		own, h, _ := byHand(t, b, "/e")
		time.Sleep(simT)
		if h.Lease() != nil {
			t.Error("a lease without a watch")
		}
		arm(t, own)
		time.Sleep(simT / 64)
		if h.Lease() == nil {
			t.Error("no lease soon after the watch was left")
		}
		if !other.Valid() {
			t.Error("the other place is not held")
		}
	})
}

// A watch fires once. What happened between that and the next read nobody has told, so that
// the first beat after the read checks the znode.
func TestAPlaceWhoseWatchIsUsedUpIsCheckedAgain(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		own, h, wake := byHand(t, b, "/e")
		arm(t, own)
		<-wake
		l := h.Lease()
		if l == nil {
			t.Fatal("woken without a lease")
		}
		_, err := b.s.Set(t.Context(), pathOf(t, b, "/e"), []byte("new"), -1)
		must(t, err)
		<-wake // the watch is used up
		if own.Armed() {
			t.Fatal("still armed")
		}
		left := l.Remaining()
		time.Sleep(b.s.LeaseTime() / 2)
		if rest := l.Remaining(); rest > left-b.s.LeaseTime()/2 {
			t.Errorf("the lease was extended without a watch: %v left, %v before", rest, left)
		}
		b.forget()
		arm(t, own)
		time.Sleep(b.s.LeaseTime() / 2)
		if beats, checks := b.beats(); checks != 1 || beats < 2 {
			t.Errorf("%d checks in %d beats, want one", checks, beats)
		}
		if rest := l.Remaining(); rest < b.s.LeaseTime()/2 {
			t.Errorf("not extended since: %v left", rest)
		}
	})
}

// The watches of a connection that is gone tell nothing, and a beat that was sent on it was not
// preceded by their events.
func TestAfterAReconnectNothingIsHeldAnewUntilItWasChecked(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		other, _ := held(t, b.s) // for which the session beats
		own, h, wake := byHand(t, b, "/e")
		arm(t, own)
		for h.Lease() == nil {
			<-wake
		}
		path := pathOf(t, b, "/e")
		b.host.Cut()
		for b.s.State() == session.Connected {
			time.Sleep(time.Millisecond)
		}
		admin, done := b.admin()
		defer done()
		must(t, admin.Delete(t.Context(), path, -1))
		settle(t, b.client)
		deleted := time.Now()
		l := h.Lease()
		for l.Valid() {
			time.Sleep(time.Millisecond)
		}
		if lasted := time.Since(deleted); lasted > b.s.LeaseTime() {
			t.Errorf("a place that is gone is held for %v more", lasted)
		}
		time.Sleep(simT)
		if h.Lease() != nil || own.Deleted() {
			t.Errorf("held: %v, deleted: %v", h.Lease() != nil, own.Deleted())
		}
		other.lease(t)
	})
}

// The place may be deleted between the read that leaves the watch and the check, on a server
// that lags: the event comes before the beat's answer, or the check fails.
func TestACheckThatFailsEndsItsPlaceAlone(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		at := follower(t, b)
		other, l := held(t, b.s)
		own, h, wake := byHand(t, b, "/e")
		path := pathOf(t, b, "/e")
		admin, done := b.admin()
		defer done()
		time.Sleep(b.s.LeaseTime() / 16) // after the beat for it
		// The server hears of commits late; what it passes on arrives at once.
		link := b.Link(b.Leader(), at)
		link.Delay(simT / 32)
		must(t, admin.Delete(t.Context(), path, -1))
		arm(t, own) // the server still has it
		for h.Err() == nil && !own.Deleted() {
			<-wake
		}
		if h.Lease() != nil {
			t.Error("a lease for a place that was gone")
		}
		link.Heal()
		time.Sleep(simT)
		if h.Lease() != nil || other.hold.Lease() != l || b.s.Err() != nil {
			t.Errorf("held: %v; the other one: %v; the session: %v", h.Lease() != nil, other.hold.Err(), b.s.Err())
		}
	})
}

// follower takes the session to a server that follows, and may lag.
func follower(t *testing.T, b *bed) *zktest.Server {
	t.Helper()
	for range 100 {
		settle(t, b.client)
		if at := b.ConnOf(b.s.ID()).Server(); at != b.Leader().ID() {
			return b.Server(at)
		}
		b.host.Cut()
	}
	t.Fatal("always at the server that leads")
	return nil
}

// A server's answers come in order, its events too: so the check alone can fail only in
// between. Here it does.
func TestAHoldSaysWhyItsPlaceCannotBeHeld(t *testing.T) {
	for _, code := range []zktest.Code{zktest.CodeNoNode, zktest.CodeNoAuth} {
		inBed(t, func(t *testing.T, b *bed) {
			other, l := held(t, b.s)
			time.Sleep(b.s.LeaseTime() / 16)
			refuse := b.On(zktest.Match{Op: zktest.OpMulti, Path: "/e/*", Host: "a"}, zktest.Fail(code))
			p := hold(t, b.s, "/e")
			err := p.failed(t)
			refuse.Remove()
			want := map[zktest.Code]error{zktest.CodeNoNode: zk.ErrNoNode, zktest.CodeNoAuth: zk.ErrNoAuth}[code]
			if !errors.Is(err, want) || p.hold.Lease() != nil {
				t.Errorf("err = %v, want %v; a lease: %v", err, want, p.hold.Lease() != nil)
			}
			time.Sleep(2 * simT)
			if other.hold.Lease() != l || b.s.Err() != nil {
				t.Errorf("the other place: %v, the session: %v", other.hold.Err(), b.s.Err())
			}
		})
	}
}

// Somebody may stop the Watch first; then nothing tells of the znode's end.
func TestAHoldWhoseWatchWasStoppedIsNotExtended(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		other, _ := held(t, b.s)
		own, h, wake := byHand(t, b, "/e")
		arm(t, own)
		for h.Lease() == nil {
			<-wake
		}
		own.Stop()
		time.Sleep(simT)
		if h.Lease() != nil {
			t.Error("held without a watch")
		}
		other.lease(t)
	})
}

// A session that leads nothing and is no heir holds its places by the way.
func TestAReservedPlaceCostsNothingAndHasALeaseWhereOthersDo(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		must(t, b.s.EnsurePath(t.Context(), "/e", nil))
		path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
		must(t, err)
		wake := make(chan struct{}, 1)
		own := b.s.Watch(path, wake)
		h := b.s.Reserve(own, wake)
		arm(t, own)
		time.Sleep(simT)
		if beats, _ := b.beats(); beats != 0 || h.Lease() != nil {
			t.Errorf("%d beats for a place that is only reserved; a lease: %v", beats, h.Lease() != nil)
		}
		h.Keep()
		<-wake
		if h.Lease() == nil {
			t.Error("no lease for a place that is kept")
		}
		h.Release()
		time.Sleep(simT)
		second := b.s.Reserve(own, wake)
		held(t, b.s)
		time.Sleep(simT)
		if second.Lease() == nil {
			t.Error("what is beaten for another place does not count for one that is reserved")
		}
	})
}
