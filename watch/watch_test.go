package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/watch"
)

// gone starts a Gone and waits until its watch has been left.
func (b *bed) gone(ctx context.Context, path string) <-chan answer[struct{}] {
	b.t.Helper()
	n, _ := b.frames.count(faultproxy.ToClient, faultproxy.OpGetData)
	c := async(func() (struct{}, error) { return struct{}{}, watch.Gone(ctx, b.s, path) })
	b.passed(faultproxy.ToClient, faultproxy.OpGetData, n+1)
	return c
}

func (b *bed) node(path string) *watch.Node {
	n := watch.NewNode(b.s, path)
	b.t.Cleanup(n.Stop)
	return n
}

func (b *bed) nextState(n *watch.Node) watch.State {
	b.t.Helper()
	st, err := n.Next(b.ctx)
	b.must(err)
	return st
}

func (b *bed) nextList(c *watch.Children) watch.List {
	b.t.Helper()
	l, err := c.Next(b.ctx)
	b.must(err)
	return l
}

func TestGoneReturnsWhenTheZnodeIsDeleted(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	gone := b.gone(b.ctx, "/a")
	b.set("/a", "another wake-up")
	b.remove("/a")
	b.must(await(b, gone).err)
	b.must(watch.Gone(b.ctx, b.s, "/a"))
	b.must(watch.Gone(b.ctx, b.s, "/never/there"))
	if n := b.watchers("/a") + b.watchers("/never/there"); n != 0 {
		t.Errorf("%d watches left on missing znodes", n)
	}
}

func TestADeletionWhileDisconnectedIsSeenAfterwards(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.create("/a/child")
	b.caughtUp()
	n := b.node("/a")
	c := watch.NewChildren(b.s, "/a")
	defer c.Stop()
	b.nextState(n)
	b.nextList(c)
	gone := b.gone(b.ctx, "/a")
	b.offline(func() { b.remove("/a/child"); b.remove("/a") })
	b.must(await(b, gone).err)
	if st := b.nextState(n); st.Exists {
		t.Errorf("still there: %+v", st)
	}
	if l := b.nextList(c); l.Exists || len(l.Names) > 0 {
		t.Errorf("still there: %+v", l)
	}
}

func TestAnotherZnodeByTheSameNameIsAnotherState(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	n := b.node("/a")
	c := watch.NewChildren(b.s, "/a")
	defer c.Stop()
	before, list := b.nextState(n), b.nextList(c)
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	gone := b.gone(ctx, "/a")
	b.offline(func() { b.remove("/a"); b.create("/a") })
	after := b.nextState(n)
	if !after.Exists || after.Stat.Czxid <= before.Stat.Czxid || after.Stat.Version != before.Stat.Version {
		t.Errorf("%+v, then %+v", before, after)
	}
	if l := b.nextList(c); !l.Exists || l.Stat.Czxid <= list.Stat.Czxid {
		t.Errorf("%+v, then %+v", list, l)
	}
	// For Gone a znode is there as before, and when that one goes, it is gone.
	b.gone(ctx, "/a")
	select {
	case r := <-gone:
		t.Errorf("gone while there is one: %v", r.err)
	default:
	}
	b.remove("/a")
	b.must(await(b, gone).err)
}

func TestABurstOfChangesEndsWithTheLatestState(t *testing.T) {
	const changes = 200
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	n := b.node("/a")
	last := b.nextState(n)
	done := async(func() (none struct{}, err error) {
		for i := 1; i <= changes && err == nil; i++ {
			_, err = b.admin.Set(b.ctx, b.path+"/a", fmt.Append(nil, i), -1)
			if i == changes/2 {
				b.proxy.Cut(true)
			}
		}
		return none, err
	})
	for string(last.Data) != fmt.Sprint(changes) {
		st := b.nextState(n)
		if st.Stat.Mzxid <= last.Stat.Mzxid {
			t.Fatalf("mzxid 0x%x came after 0x%x", st.Stat.Mzxid, last.Stat.Mzxid)
		}
		last = st
	}
	b.must(await(b, done).err)
}

func TestGoneNeedsNoPermissionToRead(t *testing.T) {
	b := newBed(t)
	_, err := b.admin.Create(b.ctx, b.path+"/a", nil, 0, zk.WorldACL(zk.PermAll&^zk.PermRead))
	b.must(err)
	b.caughtUp()
	if _, err := b.node("/a").Next(b.ctx); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("err = %v, want no auth", err)
	}
	hand := newHandClock()
	gone := b.gone(clock.With(b.ctx, hand), "/a")
	for range 2 {
		if d := await(b, hand.set); d != T/4 {
			t.Errorf("looks again after %v, want %v", d, T/4)
		}
		n := b.requests(faultproxy.OpExists)
		hand.pass(T / 4)
		b.passed(faultproxy.ToServer, faultproxy.OpExists, n+1)
	}
	await(b, hand.set)
	b.remove("/a")
	b.caughtUp()
	hand.pass(T / 4)
	b.must(await(b, gone).err)
}

func TestALostEventIsMadeUpForByTheRecheck(t *testing.T) {
	b := newBed(t)
	hand := newHandClock()
	ctx := clock.With(b.ctx, hand)
	b.create("/a")
	b.create("/b")
	b.create("/c")
	b.caughtUp()
	n := b.node("/a")
	c := watch.NewChildren(b.s, "/b")
	defer c.Stop()
	for range 2 { // the second time both the change and the recovery have to work again
		if _, err := n.Next(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(ctx); err != nil {
			t.Fatal(err)
		}
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		list := async(func() (watch.List, error) { return c.Next(ctx) })
		await(b, hand.set)
		await(b, hand.set)
		events, _ := b.frames.count(faultproxy.ToClient, faultproxy.OpEvent)
		reads := b.requests(faultproxy.OpGetData) + b.requests(faultproxy.OpGetChildren2)
		b.deaf.Store(2)
		b.set("/a", fmt.Sprint(events))
		name := fmt.Sprintf("/b/%d", events)
		b.create(name)
		b.passed(faultproxy.ToClient, faultproxy.OpEvent, events+2)
		b.caughtUp() // its answer is behind the events
		if n := b.requests(faultproxy.OpGetData) + b.requests(faultproxy.OpGetChildren2); n != reads {
			t.Fatalf("%d reads although the events were lost", n-reads)
		}
		hand.pass(T)
		if r := await(b, state); r.err != nil || string(r.v.Data) != fmt.Sprint(events) {
			t.Errorf("%+v", r)
		}
		if r := await(b, list); r.err != nil || !slices.Contains(r.v.Names, name[len("/b/"):]) {
			t.Errorf("%+v", r)
		}
		// The watches are back: these come by their events, no time passes.
		b.set("/a", "back")
		b.create(name + "-back")
		if st, err := n.Next(ctx); err != nil || string(st.Data) != "back" {
			t.Errorf("%+v, %v", st, err)
		}
		if l, err := c.Next(ctx); err != nil || !slices.Contains(l.Names, name[len("/b/"):]+"-back") {
			t.Errorf("%+v, %v", l, err)
		}
		for len(hand.set) > 0 {
			<-hand.set
		}
		b.set("/a", "again")
		b.create(name + "-again")
	}
	gone := b.gone(ctx, "/c")
	for await(b, hand.set) != T { // the first may be shorter, until the watch is known to be ready
	}
	b.deaf.Store(1)
	b.remove("/c")
	b.caughtUp()
	hand.pass(T)
	b.must(await(b, gone).err)
}

func TestChildrenAreSortedAndTheirComingAndGoingIsSeen(t *testing.T) {
	b := newBed(t)
	for _, path := range []string{"/a", "/a/c", "/a/b"} {
		b.create(path)
	}
	b.caughtUp()
	c := watch.NewChildren(b.s, "/a")
	defer c.Stop()
	n := b.node("/a") // on the same path: the events of one must not confuse the other
	want := func(names ...string) {
		t.Helper()
		if l := b.nextList(c); !l.Exists || !slices.Equal(l.Names, names) {
			t.Errorf("%+v, want %v", l, names)
		}
	}
	want("b", "c")
	b.nextState(n)
	b.create("/a/a")
	want("a", "b", "c")
	b.set("/a", "no change of the list")
	if st := b.nextState(n); string(st.Data) != "no change of the list" {
		t.Errorf("%+v", st)
	}
	b.remove("/a/c")
	want("a", "b")
	b.offline(func() { b.remove("/a/b"); b.create("/a/b") })
	want("a", "b") // another b
}

func TestFollowingSurvivesTheLossOfAnyFrame(t *testing.T) {
	// The i-th read, its answer or the i-th event is lost together with the connection.
	for _, action := range []faultproxy.Action{faultproxy.LoseRequest, faultproxy.LoseReply} {
		for i := 1; i <= 3; i++ {
			for _, op := range []faultproxy.Op{faultproxy.OpGetData, faultproxy.OpEvent} {
				if op == faultproxy.OpEvent && action == faultproxy.LoseRequest {
					continue // the server makes events; none is asked for
				}
				t.Run(fmt.Sprintf("%v/%v/%d", op, action, i), func(t *testing.T) {
					b := newBed(t)
					b.create("/a")
					b.caughtUp()
					n := b.node("/a")
					fault := b.proxy.On(func(f faultproxy.Frame) bool { return f.Op == op }, i, action)
					b.nextState(n)
					for step := 1; step <= 4; step++ {
						b.set("/a", fmt.Sprint(step))
						if st := b.nextState(n); string(st.Data) != fmt.Sprint(step) {
							t.Errorf("step %d: %+v", step, st)
						}
					}
					b.must(fault.Wait(b.ctx))
				})
			}
		}
	}
}
