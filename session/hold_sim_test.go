package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// byHand is a place whose watch the test itself leaves.
func byHand(t *testing.T, b *bubble, dir string) (own *session.Watch, h *session.Hold, wake chan struct{}) {
	t.Helper()
	must(t, b.s.EnsurePath(t.Context(), dir, nil))
	path, err := b.s.CreatePlace(t.Context(), dir, "n-", nil, nil)
	must(t, err)
	wake = make(chan struct{}, 1)
	own = b.s.Watch(path, wake)
	return own, b.s.Hold(own, wake), wake
}

// pathOf returns the one place of a directory.
func pathOf(t *testing.T, b *bubble, dir string) string {
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

// Perhaps no event comes: the watch may have fired, or be lost with its connection, or the server
// sends no event because the session has no permission to read the znode any more.
func TestAPlaceThatIsGoneIsNotHeldOnWhateverTheEventsTell(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other, l := held(t, b.s)
		own, h, wake := byHand(t, b, "/e")
		<-wake
		lease := h.Lease()
		if lease == nil {
			t.Fatal("a signal without a lease")
		}
		admin := b.Admin()
		must(t, admin.Delete(t.Context(), pathOf(t, b, "/e"), -1))
		deleted := time.Now()
		for lease.Valid() && time.Since(deleted) < 2*simT {
			await.Sleep(time.Millisecond)
		}
		if lasted := time.Since(deleted); lasted > b.s.LeaseTime() {
			t.Errorf("held for %v after the deletion", lasted)
		}
		await.Sleep(simT)
		if own.Deleted() || !errors.Is(h.Err(), zk.ErrNoNode) || h.Lease() != nil {
			t.Errorf("an event: %v; err = %v; held: %v", own.Deleted(), h.Err(), h.Lease() != nil)
		}
		if other.hold.Lease() != l || b.s.Err() != nil {
			t.Errorf("the other place: %v; the session: %v", other.hold.Err(), b.s.Err())
		}
	})
}

// Many places are deleted at the same time. No beat that checks one of them succeeds.
func TestThePlacesThatRemainAreHeldOnWhenManyAreGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		var holds []*session.Hold
		admin := b.Admin()
		for i := range 100 {
			_, h, _ := byHand(t, b, fmt.Sprintf("/e%d", i))
			holds = append(holds, h)
		}
		_, l := held(t, b.s)
		await.Sleep(simT)
		for i := range holds {
			must(t, admin.Delete(t.Context(), pathOf(t, b, fmt.Sprintf("/e%d", i)), -1))
		}
		await.Sleep(simT)
		for i, h := range holds {
			if !errors.Is(h.Err(), zk.ErrNoNode) {
				t.Errorf("place %d: %v", i, h.Err())
			}
		}
		if !l.Valid() {
			t.Error("the place that remained has lost its lease")
		}
	})
}

// The watches of a lost connection report nothing. And the events of deletions need not come before
// the answer to a beat that was sent on that connection.
func TestAfterAReconnectNothingIsHeldAgainUntilItWasChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other, _ := held(t, b.s) // for which the session beats
		own, h, wake := byHand(t, b, "/e")
		arm(t, own)
		for h.Lease() == nil {
			<-wake
		}
		path := pathOf(t, b, "/e")
		b.host.Cut()
		for b.s.State() == session.StateConnected {
			await.Sleep(time.Millisecond)
		}
		admin := b.Admin()
		must(t, admin.Delete(t.Context(), path, -1))
		settle(t, b.client)
		deleted := time.Now()
		l := h.Lease()
		for l.Valid() && time.Since(deleted) < simT {
			await.Sleep(time.Millisecond)
		}
		if lasted := time.Since(deleted); lasted > b.s.LeaseTime() {
			t.Errorf("a place that is gone is held for %v more", lasted)
		}
		await.Sleep(simT)
		if h.Lease() != nil || own.Deleted() {
			t.Errorf("held: %v, deleted: %v", h.Lease() != nil, own.Deleted())
		}
		other.lease(t)
	})
}

// A beat's check needs READ on the znode. The other places are still held.
func TestAPlaceThatMustNotBeReadCannotBeHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other, l := held(t, b.s)
		must(t, b.s.EnsurePath(t.Context(), "/e", nil))
		path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, zk.WorldACL(zk.PermAll&^zk.PermRead))
		must(t, err)
		p := keep(t, b.s, path)
		if err := p.failed(t); !errors.Is(err, zk.ErrNoAuth) || p.hold.Lease() != nil {
			t.Errorf("err = %v; held: %v", err, p.hold.Lease() != nil)
		}
		await.Sleep(2 * simT)
		if other.hold.Lease() != l || b.s.Err() != nil {
			t.Errorf("the other place: %v, the session: %v", other.hold.Err(), b.s.Err())
		}
	})
}

// A multi that is refused as a whole says nothing about its operations.
func TestABeatThatIsRefusedAsAWholeEndsNothing(t *testing.T) {
	for _, code := range []zktest.Code{zktest.CodeNoNode, zktest.CodeNoAuth, zktest.CodeMarshallingError} {
		inBubble(t, func(t *testing.T, b *bubble) {
			p, l := held(t, b.s)
			refuse := b.On(zktest.Match{Op: zktest.OpMulti, Path: "/election/*", Host: "a", Nth: 1}, zktest.Fail(code))
			<-refuse.Fired()
			await.Sleep(2 * simT)
			if p.hold.Lease() != l || b.s.Err() != nil {
				t.Errorf("code %d: the place: %v, the session: %v", code, p.hold.Err(), b.s.Err())
			}
		})
	}
}

// A session that leads nothing and is no heir does not beat. Its reserved places get a lease only
// from beats for other places.
func TestAReservedPlaceCostsNothingAndHasALeaseWhereOthersDo(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/e", nil))
		path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
		must(t, err)
		wake := make(chan struct{}, 1)
		own := b.s.Watch(path, wake)
		h := b.s.Reserve(own, wake)
		arm(t, own)
		await.Sleep(simT)
		if beats, _ := b.beats(); beats != 0 || h.Lease() != nil {
			t.Errorf("%d beats for a place that is only reserved; a lease: %v", beats, h.Lease() != nil)
		}
		h.Keep()
		<-wake
		if h.Lease() == nil {
			t.Error("no lease for a place that is kept")
		}
		h.Release()
		await.Sleep(simT)
		second := b.s.Reserve(own, wake)
		held(t, b.s)
		await.Sleep(simT)
		if second.Lease() == nil {
			t.Error("a beat for another place does not extend the lease of a reserved place")
		}
	})
}

// If the session must not set its heartbeat, it cannot hold any place. It does not try that again
// and again, even if it is used for other things.
func TestASessionThatMustNotSetItsHeartbeatStopsTrying(t *testing.T) {
	for name, perms := range map[string]int32{"WRITE": zk.PermAll &^ zk.PermWrite, "READ": zk.PermAll &^ zk.PermRead} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, session.Config{Timeout: simT, ACL: zk.WorldACL(perms)}, func(t *testing.T, b *bubble) {
				must(t, b.s.EnsurePath(t.Context(), "/e", zk.WorldACL(zk.PermAll)))
				path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, zk.WorldACL(zk.PermAll))
				must(t, err)
				if name == "READ" { // which is asked for when an answer was lost
					b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply)
				}
				wake := make(chan struct{}, 1)
				h := b.s.Hold(b.s.Watch(path, wake), wake)
				for h.Err() == nil {
					<-wake
				}
				h.Release()
				await.Sleep(simT)
				before := b.Counts()
				await.Sleep(10 * simT)
				after := b.Counts()
				for _, op := range []zktest.Op{zktest.OpMulti, zktest.OpGetData} {
					if n := after.Requests[op] - before.Requests[op]; n > 0 {
						t.Errorf("%d requests of type %v", n, op)
					}
				}
			})
		})
	}
}

// If a channel has no room, every signal that comes while its owner is busy is lost.
func TestAWakeChannelWithoutRoomIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		for _, wake := range []chan struct{}{nil, make(chan struct{})} {
			for name, f := range map[string]func(){
				"Watch":     func() { b.s.Watch("/x", wake) },
				"Hold":      func() { b.s.Hold(b.s.Watch("/x", make(chan struct{}, 1)), wake) },
				"Reserve":   func() { b.s.Reserve(b.s.Watch("/x", make(chan struct{}, 1)), wake) },
				"HoldNamed": func() { b.s.HoldNamed(b.s.Watch("/x", make(chan struct{}, 1)), 1, wake) },
				"Listen":    func() { b.s.Listen(1, wake) },
				"WatchTree": func() { b.s.WatchTree("/x", 0, false, wake) },
			} {
				func() {
					defer func() {
						if text, _ := recover().(string); !strings.Contains(text, "wake channel") {
							t.Errorf("%s of a channel with room for %d: %q; want a panic that tells", name, cap(wake), text)
						}
					}()
					f()
				}()
			}
		}
	})
}
