package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

// hasty is a clock that leaves no pause between attempts.
type hasty struct{ clock.Clock }

func (hasty) Random() float64 { return -0.5 }

// hurried returns a context with a hasty clock.
func hurried(t testing.TB) context.Context { return clock.With(t.Context(), hasty{clock.System}) }

func awaitWake(t testing.TB, wake <-chan struct{}) {
	t.Helper()
	select {
	case <-wake:
	case <-time.After(hang):
		t.Fatal("no signal")
	}
}

func TestAWatchSignalsEachKindOfChange(t *testing.T) {
	c := proxied(t, three(t))
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
	// One znode gone may be told twice, for its data and for its children.
	if !w.Deleted() {
		t.Error("the deletion was not noted")
	}
	if _, _, err := w.Get(ctx); !errors.Is(err, zk.ErrNoNode) || w.Armed() {
		t.Errorf("missing znode: %v, armed %v", err, w.Armed())
	}
	// Those of the test before may go late.
	settles(t, "after the last one fired on a missing znode", 0, func() int { return serverWatches(t, c) })
}

func TestAnyNumberOfWatchesOnAPathAreOneAtTheServer(t *testing.T) {
	c := proxied(t, three(t))
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
}

// serverWatches counts the watches of the whole ensemble.
func serverWatches(t *testing.T, c *cluster) int {
	t.Helper()
	total := 0
	for _, s := range c.Servers() {
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

// With the race detector this fails if a watch is ever restored by zk itself.
func TestWatchesAreRacelessAcrossAHundredReconnects(t *testing.T) {
	c := proxied(t, three(t))
	c.proxies = c.proxies[:1]
	p := c.proxies[0]
	client := c.open(session.Config{Timeout: steady, Context: hurried(t)})
	s := c.established(client)
	ctx, cancel := context.WithCancel(within(t, hang))
	must(t, s.EnsurePath(ctx, "/w", nil))
	wake := make(chan struct{}, 1)
	var busy sync.WaitGroup
	for i := range 4 { // requests are always under way
		path := fmt.Sprintf("/w/%d", i)
		must(t, s.EnsurePath(ctx, path, nil))
		w := s.Watch(path, wake)
		defer w.Stop()
		busy.Go(func() {
			for ctx.Err() == nil {
				w.Get(ctx)
				s.Set(ctx, path, nil, -1)
			}
		})
	}
	for range 100 {
		mark := c.log.mark()
		p.Cut(true)
		c.log.await(mark, "session suspended")
		c.log.await(mark, "session connected")
	}
	cancel()
	busy.Wait()
	if s.Err() != nil {
		t.Error(s.Err())
	}
	if n := p.Counts().Requests[faultproxy.OpSetWatches].Frames; n != 0 {
		t.Errorf("zk restored watches %d times", n)
	}
}

func TestAReconnectSignalsEveryWatchAndDisarmsIt(t *testing.T) {
	c := proxied(t, three(t))
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
		t.Error("armed on a connection that is gone")
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
}
