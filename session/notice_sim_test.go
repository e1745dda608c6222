package session_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// awaited is a place of a bed's session, and another session's watch of it that awaits notice.
type awaited struct {
	place string
	by    *session.Session
	w     *session.Watch
	wake  chan struct{}
}

func (b *bed) awaited(by *session.Session) *awaited {
	b.t.Helper()
	must(b.t, b.s.EnsurePath(b.t.Context(), "/e", nil))
	path, err := b.s.CreatePlace(b.t.Context(), "/e", "n-", nil, nil)
	must(b.t, err)
	a := &awaited{place: path, by: by, wake: make(chan struct{}, 1)}
	must(b.t, by.Sync(b.t.Context(), path))
	a.w = by.Watch(path, a.wake)
	a.look(b.t)
	return a
}

// look reads the place and awaits notice.
func (a *awaited) look(t *testing.T) {
	t.Helper()
	a.w.AwaitNotice()
	_, _, err := a.w.Get(t.Context())
	must(t, err)
	time.Sleep(time.Second)
	select {
	case <-a.wake:
	default:
	}
}

// ends waits until the deletion is told, and returns whether there was notice.
func (a *awaited) ends() (noticed bool) {
	for !a.w.Deleted() {
		<-a.wake
	}
	return a.w.Noticed()
}

func (b *bed) deleteWith(a *awaited, ops ...any) {
	b.t.Helper()
	_, err := b.s.Multi(b.t.Context(), append(ops, &zk.DeleteRequest{Path: a.place, Version: -1})...)
	must(b.t, err)
}

func TestNoticeIsHeardByWhoAwaitsIt(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		other, done := b.admin()
		defer done()
		for range 3 {
			a := b.awaited(other)
			b.deleteWith(a, b.s.Notice(a.place)...)
			<-a.wake
			if !a.w.Noticed() { // before the deletion is told
				t.Error("woken without notice")
			}
			if !a.ends() {
				t.Error("no notice")
			}
			a.w.Stop()
			a = b.awaited(other)
			must(t, b.s.EnsureDeleted(t.Context(), a.place, b.s.Notice(a.place)...))
			if !a.ends() {
				t.Error("no notice of what was ensured")
			}
			a = b.awaited(other)
			b.deleteWith(a)
			if a.ends() {
				t.Error("noticed what nobody has given notice of")
			}
		}
		if n, _, err := other.Children(t.Context(), "/zkrecipe/beats"); err != nil || len(n) != 1 {
			t.Errorf("beside the heartbeat: %v, %v", n, err)
		}
	})
}

// A watch ends with its connection, and is asked for again.
func TestNoticeIsAwaitedAgainAfterAReconnect(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		client := open(t, b.ConnectString(), session.Config{Timeout: simT, Dial: b.Host("other").Dial})
		defer client.Close()
		a := b.awaited(established(t, client))
		b.ConnOf(a.by.ID()).Cut()
		for a.w.Armed() {
			<-a.wake
		}
		time.Sleep(time.Second)
		a.look(t)
		b.deleteWith(a, b.s.Notice(a.place)...)
		if !a.ends() {
			t.Error("no notice")
		}
	})
}

// Who may create heartbeats, and not delete beside them, gives no notice, and awaits none.
func TestWhoMustNotGiveNoticeDoesWithout(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		other, done := b.admin()
		defer done()
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
			t.Errorf("what goes with the deletion was left out: %q", n.Data)
		}
		if ops := b.s.Notice(a.place); len(ops) != 0 {
			t.Errorf("gives notice again: %v", ops)
		}
		if ops, refused := b.s.WithoutNotice([]any{set}, nil); refused || len(ops) != 1 {
			t.Errorf("%v, %v", ops, refused)
		}
	})
}

// A notice that does not come leaves a watch at the server, which is removed a moment later.
func TestWhoAwaitsNoNoticeAnyMoreLeavesNoWatch(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		other, done := b.admin()
		defer done()
		for range 50 {
			a := b.awaited(other)
			b.deleteWith(a)
			if a.ends() {
				t.Error("noticed")
			}
			a.w.Stop()
		}
		time.Sleep(3 * time.Second)
		for _, w := range b.Watches() {
			if w.Session == other.ID() {
				t.Errorf("a watch on %s is left", w.Path)
			}
		}
	})
}
