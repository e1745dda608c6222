package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// named is a place whose name another znode may get later. The test itself leaves its watch.
func named(t *testing.T, b *bubble, path string) (own *session.Watch, h *session.Hold, wake chan struct{}) {
	t.Helper()
	must(t, b.s.EnsureHeartbeat(t.Context()))
	_, err := b.s.Create(t.Context(), path, nil, zk.FlagEphemeral, nil)
	must(t, err)
	wake = make(chan struct{}, 1)
	own = b.s.Watch(path, wake)
	_, stat, err := own.Get(t.Context())
	must(t, err)
	return own, b.s.HoldNamed(own, stat.Czxid, wake), wake
}

// The beat's check finds a znode of that name, but it is not the session's.
func TestAZnodeOfTheSameNameIsNotHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other, l := held(t, b.s) // for which the session beats
		own, h, wake := named(t, b, "/member")
		for h.Lease() == nil {
			<-wake
		}
		b.host.Cut()
		for b.s.State() == session.StateConnected {
			await.Sleep(time.Millisecond)
		}
		admin := b.Admin()
		_, err := admin.Multi(t.Context(), &zk.DeleteRequest{Path: "/member", Version: -1},
			&zk.CreateRequest{Path: "/member", Flags: zk.FlagEphemeral, Acl: zk.WorldACL(zk.PermAll)})
		must(t, err)
		replaced := time.Now()
		for h.Lease() != nil && time.Since(replaced) < 2*simT {
			await.Sleep(time.Millisecond)
		}
		if lasted := time.Since(replaced); lasted > b.s.LeaseTime() {
			t.Errorf("held for %v after another had taken the name", lasted)
		}
		arm(t, own)
		await.Sleep(simT)
		if h.Lease() != nil {
			t.Error("held although the watch has shown another's znode")
		}
		if other.hold.Lease() != l {
			t.Error("the other place is not held any more")
		}
	})
}

func TestAPlaceWithANameIsHeldAgainWhenItWasReadAfterAReconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		own, h, wake := named(t, b, "/member")
		for h.Lease() == nil {
			<-wake
		}
		b.host.Cut()
		await.Sleep(b.s.LeaseTime() * 2)
		if h.Lease() != nil {
			t.Error("held without a read of the znode")
		}
		arm(t, own)
		await.Sleep(b.s.LeaseTime())
		if h.Lease() == nil || h.Err() != nil {
			t.Errorf("not held: %v", h.Err())
		}
		h.Release()
	})
}

func TestTheHeartbeatIsCreatedOnceForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		errs := make(chan error)
		for range 10 {
			go func() { errs <- b.s.EnsureHeartbeat(t.Context()) }()
		}
		_, err := b.s.CreatePlace(t.Context(), "/", "n-", nil, nil)
		must(t, err)
		for range 10 {
			must(t, <-errs)
		}
		if n, ok := b.node(b.s.HeartbeatPath(b.s.ID())); !ok || n.Stat.EphemeralOwner != b.s.ID() {
			t.Errorf("%+v, %v", n, ok)
		}
	})
}

func TestAHeartbeatWhoseCreateWasNotAnsweredIsFound(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.On(zktest.Match{Op: zktest.OpMulti, Nth: 2}, zktest.LoseReply) // the first finds no directory
		must(t, b.s.EnsureHeartbeat(t.Context()))
		if _, ok := b.node(b.s.HeartbeatPath(b.s.ID())); !ok || b.s.Err() != nil {
			t.Errorf("there: %v; the session: %v", ok, b.s.Err())
		}
	})
}

func TestAHeartbeatThatMayNotBeCreatedIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.On(zktest.Match{Op: zktest.OpMulti}, zktest.Fail(zktest.CodeNoAuth))
		if err := b.s.EnsureHeartbeat(t.Context()); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("err = %v", err)
		}
	})
}
