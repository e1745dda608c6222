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
	b := newBed(t)
	hand := newHandClock()
	ctx := clock.With(b.ctx, hand)
	n := b.node("/a")
	c := watch.NewChildren(b.s, "/a")
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
		if d := await(b, hand.set); d != T/4 {
			t.Errorf("looks again after %v, want %v", d, T/4)
		}
	}
	if n := b.watchers("/a"); n != 0 {
		t.Errorf("%d watches left on a missing znode", n)
	}
	b.create("/a")
	b.caughtUp()
	hand.pass(T / 4)
	if r := await(b, state); r.err != nil || !r.v.Exists || string(r.v.Data) != "0" {
		t.Errorf("%+v", r)
	}
	if r := await(b, list); r.err != nil || !r.v.Exists {
		t.Errorf("%+v", r)
	}
	if n := b.watchers("/a"); n != 1 {
		t.Errorf("%d sessions watch, want 1", n)
	}
}

func TestAThousandWakeUpsDoNotPileUpWatches(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	gone := b.gone(b.ctx, "/a")
	before := b.total()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 125 {
				if _, err := b.admin.Set(b.ctx, b.path+"/a", nil, -1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.caughtUp()
	events, _ := b.frames.count(faultproxy.ToClient, faultproxy.OpEvent)
	if reads := b.requests(faultproxy.OpGetData); reads > events+2 {
		t.Errorf("%d reads for %d events", reads, events)
	}
	if n := b.watchers("/a"); n < 0 || n > 1 {
		t.Errorf("%d watches on the path, want one at most", n)
	}
	if after := b.total(); after > before {
		t.Errorf("%d watches at the server, %d before", after, before)
	}
	b.remove("/a")
	b.must(await(b, gone).err)
}

func TestManyWaitsOnOnePathShareOneWatch(t *testing.T) {
	const waits = 100
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	before := b.total()
	var gone []<-chan answer[struct{}]
	for range waits {
		gone = append(gone, b.gone(b.ctx, "/a"))
	}
	if n := b.watchers("/a"); n != 1 {
		t.Errorf("%d sessions watch, want 1", n)
	}
	if n := b.total() - before; n != 1 {
		t.Errorf("%d watches more at the server, want 1", n)
	}
	b.remove("/a")
	for _, c := range gone {
		b.must(await(b, c).err)
	}
	if n, _ := b.frames.count(faultproxy.ToClient, faultproxy.OpEvent); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	if n := b.requests(faultproxy.OpGetData); n != 2*waits {
		t.Errorf("%d reads, want %d", n, 2*waits)
	}
}

func TestAnUndisturbedWaitCostsOneExistsPerTimeout(t *testing.T) {
	b := newBed(t)
	hand := newHandClock()
	ctx, cancel := context.WithCancel(clock.With(b.ctx, hand))
	b.create("/a")
	b.caughtUp()
	n := b.node("/a")
	if _, err := n.Next(ctx); err != nil {
		t.Fatal(err)
	}
	state := async(func() (watch.State, error) { return n.Next(ctx) })
	const times = 5
	for range times {
		if d := await(b, hand.set); d != T {
			t.Errorf("looks again after %v, want %v", d, T)
		}
		hand.pass(T)
	}
	await(b, hand.set)
	if n := b.requests(faultproxy.OpExists); n != times {
		t.Errorf("%d exists requests, want %d", n, times)
	}
	if n := b.requests(faultproxy.OpGetData); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	cancel()
	await(b, state)
}

func TestAZnodeWhoseDeletionWasNotToldIsPolledLikeAnyMissingOne(t *testing.T) {
	b := newBed(t)
	hand := newHandClock()
	ctx := clock.With(b.ctx, hand)
	b.create("/a")
	b.caughtUp()
	n := b.node("/a")
	if _, err := n.Next(ctx); err != nil {
		t.Fatal(err)
	}
	state := async(func() (watch.State, error) { return n.Next(ctx) })
	await(b, hand.set)
	b.deaf.Store(1)
	b.remove("/a")
	b.caughtUp()
	hand.pass(T)
	if r := await(b, state); r.err != nil || r.v.Exists {
		t.Fatalf("%+v", r)
	}
	// Nobody has told that the watch is used up; it must not be relied on all the same.
	state = async(func() (watch.State, error) { return n.Next(ctx) })
	if d := await(b, hand.set); d != T/4 {
		t.Errorf("looks again after %v, want %v", d, T/4)
	}
	b.create("/a")
	b.caughtUp()
	hand.pass(T / 4)
	if r := await(b, state); r.err != nil || !r.v.Exists {
		t.Errorf("%+v", r)
	}
}
