package watch_test

import (
	"context"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/watch"
)

func TestAMissingZnodeIsPolledWithoutAWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		hand := newHandClock()
		ctx := clock.With(x.ctx, hand)
		n := x.node("/a")
		c := watch.NewChildren(x.s, "/a")
		defer c.Stop()
		if st, err := n.Next(ctx); err != nil || st.Exists {
			t.Fatalf("%+v, %v", st, err)
		}
		if l, err := c.Next(ctx); err != nil || l.Exists {
			t.Fatalf("%+v, %v", l, err)
		}
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		list := async(func() (watch.List, error) { return c.Next(ctx) })
		for range 2 {
			if d := receive(x, hand.set); d != T/4 {
				t.Errorf("looks again after %v, want %v", d, T/4)
			}
		}
		if n := x.watchers("/a"); n != 0 {
			t.Errorf("%d watches left on a missing znode", n)
		}
		x.create("/a")
		x.caughtUp()
		hand.pass(T / 4)
		if r := receive(x, state); r.err != nil || !r.v.Exists || string(r.v.Data) != "0" {
			t.Errorf("%+v", r)
		}
		if r := receive(x, list); r.err != nil || !r.v.Exists {
			t.Errorf("%+v", r)
		}
		if n := x.watchers("/a"); n != 1 {
			t.Errorf("%d sessions watch, want 1", n)
		}
	})
}

func TestAThousandWakeUpsDoNotPileUpWatches(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		gone := x.gone(x.ctx, "/a")
		before := x.total()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 125 {
					if _, err := x.admin.Set(x.ctx, x.path+"/a", nil, -1); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		x.caughtUp()
		events := x.events()
		if reads := x.requests(faultproxy.OpGetData); reads > events+2 {
			t.Errorf("%d reads for %d events", reads, events)
		}
		if n := x.watchers("/a"); n < 0 || n > 1 {
			t.Errorf("%d watches on the path, want one at most", n)
		}
		if after := x.total(); after > before {
			t.Errorf("%d watches at the server, %d before", after, before)
		}
		x.remove("/a")
		x.must(receive(x, gone).err)
	})
}

func TestManyWaitsOnOnePathShareOneWatch(t *testing.T) {
	const waits = 100
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		before := x.total()
		var gone []<-chan answer[struct{}]
		for range waits {
			gone = append(gone, x.gone(x.ctx, "/a"))
		}
		if n := x.watchers("/a"); n != 1 {
			t.Errorf("%d sessions watch, want 1", n)
		}
		if n := x.total() - before; n != 1 {
			t.Errorf("%d watches more at the server, want 1", n)
		}
		x.remove("/a")
		for _, c := range gone {
			x.must(receive(x, c).err)
		}
		if n := x.events(); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		if n := x.requests(faultproxy.OpGetData); n != 2*waits {
			t.Errorf("%d reads, want %d", n, 2*waits)
		}
	})
}

func TestAnUndisturbedWaitCostsOneExistsPerTimeout(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		hand := newHandClock()
		ctx, cancel := context.WithCancel(clock.With(x.ctx, hand))
		x.create("/a")
		x.caughtUp()
		n := x.node("/a")
		if _, err := n.Next(ctx); err != nil {
			t.Fatal(err)
		}
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		const times = 5
		for range times {
			if d := receive(x, hand.set); d != T {
				t.Errorf("looks again after %v, want %v", d, T)
			}
			hand.pass(T)
		}
		receive(x, hand.set)
		if n := x.requests(faultproxy.OpExists); n != times {
			t.Errorf("%d exists requests, want %d", n, times)
		}
		if n := x.requests(faultproxy.OpGetData); n != 1 {
			t.Errorf("%d reads, want 1", n)
		}
		cancel()
		receive(x, state)
	})
}

func TestAZnodeWhoseDeletionWasNotToldIsPolledLikeAnyMissingOne(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		hand := newHandClock()
		ctx := clock.With(x.ctx, hand)
		x.create("/a")
		x.caughtUp()
		n := x.node("/a")
		if _, err := n.Next(ctx); err != nil {
			t.Fatal(err)
		}
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		receive(x, hand.set)
		x.lose.Store(1)
		x.remove("/a")
		x.caughtUp()
		hand.pass(T)
		if r := receive(x, state); r.err != nil || r.v.Exists {
			t.Fatalf("%+v", r)
		}
		// Nobody has told that the watch is used up; it must not be relied on all the same.
		state = async(func() (watch.State, error) { return n.Next(ctx) })
		if d := receive(x, hand.set); d != T/4 {
			t.Errorf("looks again after %v, want %v", d, T/4)
		}
		x.create("/a")
		x.caughtUp()
		hand.pass(T / 4)
		if r := receive(x, state); r.err != nil || !r.v.Exists {
			t.Errorf("%+v", r)
		}
	})
}
