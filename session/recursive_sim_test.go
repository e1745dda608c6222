package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onWholeTrees runs f on releases that have watches on whole trees. In 3.8.0, a one-shot watch on
// the same path turns such a watch off.
func onWholeTrees(t *testing.T, f func(t *testing.T, b *bubble)) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} {
		t.Run(string(release), func(t *testing.T) { inBubbleOn(t, release, session.Config{Timeout: simT}, f) })
	}
}

// whole returns a TreeWatch whose watches are set.
func whole(t *testing.T, s *session.Session, path string) *session.TreeWatch {
	t.Helper()
	w := s.WatchTree(path, 0, true, make(chan struct{}, 1))
	restore(t, s, w)
	return w
}

// restore restores the watches, on another connection if necessary.
func restore(t *testing.T, s *session.Session, w *session.TreeWatch, paths ...string) {
	t.Helper()
	for !w.Armed() {
		if err := w.Restore(t.Context(), w.Connection(), paths, paths); err != nil && (s.Err() != nil || t.Context().Err() != nil) {
			t.Fatal(err)
		}
	}
}

// cut breaks the session's connection, and returns when the session has noticed that.
func (b *bubble) cut() {
	b.ConnOf(b.s.ID()).Cut()
	for b.s.State() == session.StateConnected {
		await.Sleep(time.Millisecond)
	}
}

// stays returns the paths of the persistent watches at the servers.
func (b *bubble) stays() (paths []string) {
	for _, w := range b.Watches() {
		if w.Stays && !w.Child {
			paths = append(paths, w.Path)
		}
	}
	return paths
}

// hears demands that the tree gets an event of a change of path.
func (b *bubble) hears(w *session.TreeWatch, path string) {
	b.T.Helper()
	w.Events()
	_, err := b.s.Set(b.T.Context(), path, nil, -1) // its event comes before its answer
	must(b.T, err)
	for _, ev := range w.Events() {
		if ev.Type == zk.EventNodeDataChanged && ev.Path == path {
			return
		}
	}
	b.T.Errorf("not told of a change of %s; watches: %+v", path, b.Watches())
}

func TestOneWatchTellsOfAWholeTree(t *testing.T) {
	onWholeTrees(t, func(t *testing.T, b *bubble) {
		ctx := t.Context()
		must(t, b.s.EnsurePath(ctx, "/a/b/c", nil))
		w := whole(t, b.s, "/a")
		for _, path := range []string{"/a", "/a/b", "/a/b/c"} {
			_, _, _, err := w.Get(ctx, path)
			must(t, err)
			_, _, _, err = w.Children(ctx, path)
			must(t, err)
		}
		if n := len(b.stays()); n != 1 || n < b.watching()-1 {
			t.Errorf("watches: %+v", b.Watches())
		}
		w.Events()
		_, err := b.s.Create(ctx, "/a/b/c/d", nil, 0, nil)
		must(t, err)
		must(t, b.s.Delete(ctx, "/a/b/c/d", -1))
		if evs := fmt.Sprint(w.Events()); evs != "[{EventNodeCreated State(3) /a/b/c/d <nil> } {EventNodeDeleted State(3) /a/b/c/d <nil> }]" {
			t.Log(evs)
		}
		for range 3 {
			b.hears(w, "/a/b/c")
			b.hears(w, "/a")
		}
		w.Stop()
		await.Sleep(time.Second)
		if n := b.watching(); n != 0 {
			t.Errorf("after Stop: %+v", b.Watches())
		}
	})
}

// All other things that may happen at the path of a tree: reads, waits that end, trees at, above
// and below it.
func TestNothingTurnsTheWatchOnATreeOff(t *testing.T) {
	onWholeTrees(t, func(t *testing.T, b *bubble) {
		ctx := t.Context()
		must(t, b.s.EnsurePath(ctx, "/a/b/c/d", nil))
		var w *session.TreeWatch
		check := func(what string) {
			t.Helper()
			await.Sleep(3 * time.Second)
			for range 2 {
				b.hears(w, "/a/b/c/d")
				b.hears(w, "/a/b")
			}
			if t.Failed() {
				t.Fatalf("after: %s", what)
			}
		}
		abandon(t, b.s, "/a/b", false)
		w = whole(t, b.s, "/a/b")
		check("the end of a wait before")
		w.Stop()
		await.Sleep(time.Second)
		wake := make(chan struct{}, 1)
		before := b.s.Watch("/a/b", wake)
		_, _, err := before.Children(ctx)
		must(t, err)
		arm(t, before)
		w = whole(t, b.s, "/a/b")
		if before.Armed() {
			t.Error("a watch on a list counts as set, but 3.8.0 has removed it")
		}
		check("nothing")
		arm(t, before)
		_, _, err = before.Children(ctx)
		must(t, err)
		check("a read that leaves a watch")
		if before.Armed() {
			t.Error("not told of a change")
		}
		arm(t, before)
		before.Stop()
		abandon(t, b.s, "/a/b", true)
		abandon(t, b.s, "/a/b/c/d", false)
		check("waits that ended")
		paths := []string{"/a", "/a/b", "/a/b/c", "/a/b/c/d"}
		above := b.s.WatchTree("/a", w.Since(), false, wake)
		restore(t, b.s, above, paths...)
		check("a tree above, of one-shot watches")
		above.Stop()
		above = whole(t, b.s, "/a")
		beside := whole(t, b.s, "/a/b")
		check("trees above and beside")
		b.hears(beside, "/a/b/c/d")
		above.Stop()
		beside.Stop()
		check("their ends")
		_, _, _, err = w.Get(ctx, "/a/b")
		must(t, err)
		b.cut()
		restore(t, b.s, w, "/a/b", "/a/b/c", "/a/b/c/d")
		check("a reconnect")
		again := whole(t, b.s, "/a/b")
		w.Stop()
		w = again
		check("the end of the first of two")
		w.Stop()
		await.Sleep(time.Millisecond / 2)
		w = whole(t, b.s, "/a/b") // while it is being removed
		after := b.s.Watch("/a/b", wake)
		arm(t, after)
		defer after.Stop()
		check("an end and a beginning")
	})
}

// After a reconnect every change is reported: by the one-shot watches, or by the tree's.
func TestNoEventIsLostWhileATreeIsRestored(t *testing.T) {
	onWholeTrees(t, func(t *testing.T, b *bubble) {
		ctx := t.Context()
		var paths []string
		for i := range 20 {
			paths = append(paths, fmt.Sprintf("/a/%d", i))
			must(t, b.s.EnsurePath(ctx, paths[i], nil))
		}
		w := whole(t, b.s, "/a")
		admin := b.Admin()
		for i := range 40 {
			b.host.Delay(10 * time.Millisecond)
			b.cut()
			changed := make(chan error, 1)
			go func() {
				time.Sleep(time.Duration(i) * 3 * time.Millisecond)
				_, err := admin.Set(ctx, paths[i%20], nil, -1)
				if err == nil {
					_, err = admin.Create(ctx, fmt.Sprintf("/a/%d/%d", i%20, i), nil, 0, nil)
				}
				changed <- err
			}()
			restore(t, b.s, w, append(paths, "/a")...)
			must(t, <-changed)
			b.host.Heal()
			await.Sleep(time.Second)
			data, list := false, false
			for _, ev := range w.Events() {
				data = data || ev.Path == paths[i%20] && ev.Type == zk.EventNodeDataChanged
				list = list || ev.Path == paths[i%20] && ev.Type == zk.EventNodeChildrenChanged || ev.Type == zk.EventNodeCreated
			}
			if !data || !list {
				t.Errorf("round %d: told of the data: %v, of the list: %v", i, data, list)
			}
		}
	})
}

// A server of 3.5 closes the connection. A client asks each such server once, and no lease ends
// with that.
func TestATreeOnServersOfSeveralReleasesCostsNoLease(t *testing.T) {
	inBubbleOn(t, zktest.Release3510, session.Config{Timeout: simT}, func(t *testing.T, b *bubble) {
		ctx := t.Context()
		b.Server(3).SetRelease(zktest.Release395)
		must(t, b.s.EnsurePath(ctx, "/a/b", nil))
		_, l := held(t, b.s)
		w := b.s.WatchTree("/a", 0, true, make(chan struct{}, 1))
		covered := map[int]bool{}
		for i := range 60 {
			restore(t, b.s, w, "/a", "/a/b")
			for range 3 {
				_, _, _, err := w.Get(ctx, "/a/b")
				must(t, err)
				b.hears(w, "/a/b")
			}
			covered[b.ConnOf(b.s.ID()).Server()] = len(b.stays()) > 0
			if i%3 == 2 {
				b.cut()
			}
			await.Sleep(simT / 8)
			if !l.Valid() {
				t.Fatal("the lease is lost")
			}
		}
		if len(covered) != 3 || covered[1] || covered[2] || !covered[3] {
			t.Errorf("one watch for all, by server: %v", covered)
		}
		if n, cuts := b.client.Status().Counts.Reconnects, uint64(20); n > cuts+2 {
			t.Errorf("%d reconnects after %d cuts", n, cuts)
		}
	})
}
