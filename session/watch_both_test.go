package session_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

func awaitWake(t testing.TB, wake <-chan struct{}) {
	t.Helper()
	select {
	case <-wake:
	case <-time.After(hang):
		t.Fatal("no signal")
	}
}

func TestAWatchSignalsEachKindOfChange(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		s := established(t, c.open(session.Config{Timeout: steady}))
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/w", nil))
		admin := c.admin()
		wake := make(chan struct{}, 1)
		w := s.Watch("/w", wake)
		defer w.Stop()
		if w.Armed() {
			t.Error("armed without a read")
		}
		for i, change := range []func() error{
			func() error { _, err := admin.Set(c.chroot+"/w", []byte("x"), -1); return err },
			func() error { _, err := admin.Create(c.chroot+"/w/a", nil, 0, zk.WorldACL(zk.PermAll)); return err },
			func() error { return admin.Delete(c.chroot+"/w/a", -1) },
			func() error { return admin.Delete(c.chroot+"/w", -1) },
		} {
			_, _, err := w.Get(ctx)
			must(t, err)
			_, _, err = w.Children(ctx)
			must(t, err)
			if !w.Armed() || w.Deleted() {
				t.Errorf("before change %d: armed %v, deleted %v", i, w.Armed(), w.Deleted())
			}
			must(t, change())
			awaitWake(t, wake)
			if w.Armed() {
				t.Errorf("armed after change %d", i)
			}
		}
		// One deletion may be reported twice, for the data and for the children.
		if !w.Deleted() {
			t.Error("the deletion was not noted")
		}
		if _, _, err := w.Get(ctx); !errors.Is(err, zk.ErrNoNode) || w.Armed() {
			t.Errorf("missing znode: %v, armed %v", err, w.Armed())
		}
		// The watches of the test before may be removed late.
		settles(t, "after the last one fired on a missing znode", 0, func() int { return serverWatches(t, c) })
	})
}

func TestAnyNumberOfWatchesOnAPathAreOneAtTheServer(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		s := established(t, c.open(session.Config{Timeout: steady}))
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/w", nil))
		var wakes []chan struct{}
		for range 50 {
			wake := make(chan struct{}, 1)
			w := s.Watch("/w", wake)
			defer w.Stop()
			_, _, err := w.Get(ctx)
			must(t, err)
			wakes = append(wakes, wake)
		}
		settles(t, "of fifty", 1, func() int { return serverWatches(t, c) })
		_, err := c.admin().Set(c.chroot+"/w", nil, -1)
		must(t, err)
		for _, wake := range wakes {
			awaitWake(t, wake)
		}
	})
}

// serverWatches counts the watches of all servers.
func serverWatches(t *testing.T, c *cluster) int {
	t.Helper()
	total := 0
	if sim, simulated := c.Servers.(*stage.Stage); simulated {
		for _, w := range sim.Watches() {
			if !w.Child { // like a real server, which counts no others
				total++
			}
		}
		return total
	}
	for _, s := range c.Servers.(*ensemble.Ensemble).Servers() {
		answer, err := s.Command(within(t, hang), "wchs")
		must(t, err)
		var connections, paths, watches int
		if _, err := fmt.Sscanf(answer, "%d connections watching %d paths\nTotal watches:%d", &connections, &paths, &watches); err != nil {
			t.Fatalf("wchs: %q: %v", answer, err)
		}
		total += watches
	}
	return total
}

func TestAReconnectSignalsEveryWatchAndDisarmsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := c.established(client)
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/w", nil))
		wake := make(chan struct{}, 1)
		w := s.Watch("/w", wake)
		defer w.Stop()
		_, _, err := w.Get(ctx)
		must(t, err)
		mark := c.log.mark()
		c.at(client).Cut(false)
		c.log.await(mark, "session connected")
		awaitWake(t, wake)
		if w.Armed() {
			t.Error("armed on a lost connection")
		}
		_, _, err = w.Get(ctx)
		must(t, err)
		if !w.Armed() {
			t.Error("not armed again")
		}
		must(t, s.Delete(ctx, "/w", -1))
		awaitWake(t, wake)
		if !w.Deleted() {
			t.Error("the deletion was not noted")
		}
	})
}
