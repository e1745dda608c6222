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

// awaited is a place of a bubble's session, and a Watch of another session on it, which awaits
// notice.
type awaited struct {
	place string
	by    *session.Session
	w     *session.Watch
	wake  chan struct{}
}

func (b *bubble) awaited(by *session.Session) *awaited {
	b.T.Helper()
	must(b.T, b.s.EnsurePath(b.T.Context(), "/e", nil))
	path, err := b.s.CreatePlace(b.T.Context(), "/e", "n-", nil, nil)
	must(b.T, err)
	a := &awaited{place: path, by: by, wake: make(chan struct{}, 1)}
	must(b.T, by.Sync(b.T.Context(), path))
	a.w = by.Watch(path, a.wake)
	a.look(b.T)
	return a
}

// look reads the place and awaits notice.
func (a *awaited) look(t *testing.T) {
	t.Helper()
	a.w.AwaitNotice()
	_, _, err := a.w.Get(t.Context())
	must(t, err)
	await.Sleep(time.Second)
	select {
	case <-a.wake:
	default:
	}
}

// ends waits until the deletion is reported, and returns whether there was notice.
func (a *awaited) ends() (noticed bool) {
	for !a.w.Deleted() {
		<-a.wake
	}
	return a.w.Noticed()
}

func (b *bubble) deleteWith(a *awaited, ops ...any) {
	b.T.Helper()
	_, err := b.s.Multi(b.T.Context(), append(ops, &zk.DeleteRequest{Path: a.place, Version: -1})...)
	must(b.T, err)
}

func TestNoticeReachesTheSessionThatAwaitsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other := b.Admin()
		for range 3 {
			a := b.awaited(other)
			b.deleteWith(a, b.s.Notice(a.place)...)
			<-a.wake
			if !a.w.Noticed() || !a.w.Deleted() { // nothing wakes before the deletion is told
				t.Error("a signal without notice")
			}
			if !a.ends() {
				t.Error("no notice")
			}
			a.w.Stop()
			a = b.awaited(other)
			must(t, b.s.EnsureDeleted(t.Context(), a.place, b.s.Notice(a.place)...))
			if !a.ends() {
				t.Error("no notice by EnsureDeleted")
			}
			a = b.awaited(other)
			b.deleteWith(a)
			if a.ends() {
				t.Error("noticed without a notice")
			}
		}
		if n, _, err := other.Children(t.Context(), "/zkrecipe/beats"); err != nil || len(n) != 1 {
			t.Errorf("beside the heartbeat: %v, %v", n, err)
		}
	})
}

// A watch ends with its connection, and is left again.
func TestNoticeIsAwaitedAgainAfterAReconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		client := open(t, b.ConnectString(), session.Config{Timeout: simT, Dial: b.Host("other").Dial})
		defer client.Close()
		a := b.awaited(established(t, client))
		b.ConnOf(a.by.ID()).Cut()
		for a.w.Armed() {
			<-a.wake
		}
		await.Sleep(time.Second)
		a.look(t)
		b.deleteWith(a, b.s.Notice(a.place)...)
		if !a.ends() {
			t.Error("no notice")
		}
	})
}

// A session that has permission to create heartbeats, but none to delete beside them, gives no
// notice, and awaits none.
func TestNoticeIsAwaitedAgainIfTheServerDidNotTakeTheRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		by := b.Admin()
		b.On(zktest.Match{Op: zktest.OpExists, Nth: 1}, zktest.Fail(-127)) // throttled
		a := b.awaited(by)
		a.look(t)
		b.deleteWith(a, b.s.Notice(a.place)...)
		if !a.ends() {
			t.Error("no notice")
		}
	})
}

func TestASessionThatMustNotGiveNoticeGivesNone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other := b.Admin()
		must(t, other.EnsurePath(t.Context(), "/zkrecipe", nil))
		_, err := other.Create(t.Context(), "/zkrecipe/beats", nil, 0, zk.WorldACL(zk.PermAll&^zk.PermDelete))
		must(t, err)
		must(t, b.s.Sync(t.Context(), "/"))
		a := b.awaited(other)
		must(t, other.EnsurePath(t.Context(), "/x", nil))
		must(t, b.s.Sync(t.Context(), "/"))
		set := &zk.SetDataRequest{Path: "/x", Data: []byte("left"), Version: -1}
		must(t, b.s.EnsureDeleted(t.Context(), a.place, append([]any{set}, b.s.Notice(a.place)...)...))
		if a.ends() {
			t.Error("noticed")
		}
		if n, _ := b.node("/x"); string(n.Data) != "left" {
			t.Errorf("the other operations of the deletion were left out: %q", n.Data)
		}
		if ops := b.s.Notice(a.place); len(ops) != 0 {
			t.Errorf("gives notice again: %v", ops)
		}
		if ops, refused := b.s.WithoutNotice([]any{set}, nil); refused || len(ops) != 1 {
			t.Errorf("%v, %v", ops, refused)
		}
	})
}

// If another operation in the directory of the heartbeats is refused, the session still gives
// notice.
func TestARefusalBesideTheHeartbeatsIsNotOneOfTheNotice(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/zkrecipe/beats/e", nil))
		place, err := b.s.CreatePlace(t.Context(), "/zkrecipe/beats/e", "n-", nil, nil)
		must(t, err)
		ops := append(b.s.Notice(place), &zk.SetDataRequest{Path: "/zkrecipe/beats/e", Version: 7}, &zk.DeleteRequest{Path: place, Version: -1})
		results, err := b.s.Multi(t.Context(), ops...)
		if !errors.Is(err, zk.ErrBadVersion) {
			t.Fatal(err)
		}
		if rest, refused := b.s.WithoutNotice(ops, results); refused || len(rest) != len(ops) || len(b.s.Notice(place)) == 0 {
			t.Errorf("%v, %v", rest, refused)
		}
	})
}

// If notices do not come, no watches for them are left at the server.
func TestNoticesThatDoNotComeLeaveNoWatches(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		other := b.Admin()
		must(t, b.s.EnsurePath(t.Context(), "/e", nil))
		for range 20 {
			path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
			must(t, err)
			w := other.Watch(path, make(chan struct{}, 1))
			<-w.AwaitNotice()
			if b.watches(other.ID()) == 0 {
				t.Fatal("nothing is awaited")
			}
			w.Stop()
			must(t, b.s.Delete(t.Context(), path, -1))
		}
		await.Sleep(10 * time.Second)
		if n := b.watches(other.ID()); n != 0 {
			t.Errorf("%d watches", n)
		}
	})
}

// watches counts the watches that a session has left.
func (b *bubble) watches(of int64) (n int) {
	for _, w := range b.Watches() {
		if w.Session == of {
			n++
		}
	}
	return n
}
