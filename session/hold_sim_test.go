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

// Each beat asks whether the znode is there. A watch only tells sooner that it is not.
func TestALeaseNeedsNoWatch(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		_, other := held(t, b.s)
		_, h, wake := byHand(t, b, "/e")
		for h.Lease() == nil {
			<-wake
		}
		l := h.Lease()
		time.Sleep(simT)
		if !l.Valid() || !other.Valid() {
			t.Errorf("the lease runs: %v, the other one: %v", l.Valid(), other.Valid())
		}
		admin, done := b.admin()
		defer done()
		must(t, admin.Delete(t.Context(), pathOf(t, b, "/e"), -1))
		deleted := time.Now()
		for h.Err() == nil {
			<-wake
		}
		for l.Valid() {
			time.Sleep(time.Millisecond)
		}
		if lasted := time.Since(deleted); lasted > b.s.LeaseTime() || !errors.Is(h.Err(), zk.ErrNoNode) {
			t.Errorf("the lease lasted for %v: %v", lasted, h.Err())
		}
		if !other.Valid() || b.s.Err() != nil {
			t.Errorf("the other place's lease runs: %v; the session: %v", other.Valid(), b.s.Err())
		}
	})
}

// Of what happens while there is no connection no watch tells.
func TestWhatWasDeletedDuringAnOutageIsNotHeldAfterIt(t *testing.T) {
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
		for l.Valid() && time.Since(deleted) < simT {
			time.Sleep(time.Millisecond)
		}
		if lasted := time.Since(deleted); lasted > b.s.LeaseTime() {
			t.Errorf("a place that is gone is held for %v more", lasted)
		}
		time.Sleep(simT)
		if h.Lease() != nil || !errors.Is(h.Err(), zk.ErrNoNode) {
			t.Errorf("held: %v, err: %v", h.Lease() != nil, h.Err())
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

func TestAHoldSaysWhyItsPlaceCannotBeHeld(t *testing.T) {
	for _, code := range []zktest.Code{zktest.CodeNoNode, zktest.CodeNoAuth} {
		inBed(t, func(t *testing.T, b *bed) {
			p := hold(t, b.s, "/e")
			p.lease(t)
			other, l := held(t, b.s)
			refuse := b.On(zktest.Match{Op: zktest.OpMulti, Path: "/e/*", Host: "a"}, zktest.Fail(code))
			err := p.failed(t)
			refuse.Remove()
			want := map[zktest.Code]error{zktest.CodeNoNode: zk.ErrNoNode, zktest.CodeNoAuth: zk.ErrNoAuth}[code]
			if !errors.Is(err, want) {
				t.Errorf("err = %v, want %v", err, want)
			}
			time.Sleep(2 * simT)
			if p.hold.Lease() != nil {
				t.Error("it is held")
			}
			if other.hold.Lease() != l || b.s.Err() != nil {
				t.Errorf("the other place: %v, the session: %v", other.hold.Err(), b.s.Err())
			}
		})
	}
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
