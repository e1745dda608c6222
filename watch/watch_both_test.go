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
func (x *fixture) gone(ctx context.Context, path string) <-chan answer[struct{}] {
	x.t.Helper()
	n := x.frames.Count(frame(faultproxy.ToClient, faultproxy.OpGetData))
	c := async(func() (struct{}, error) { return struct{}{}, watch.Gone(ctx, x.s, path) })
	x.passed(faultproxy.ToClient, faultproxy.OpGetData, n+1)
	return c
}

func (x *fixture) node(path string) *watch.Node {
	n := watch.NewNode(x.s, path)
	x.t.Cleanup(n.Stop)
	return n
}

func (x *fixture) nextState(n *watch.Node) watch.State {
	x.t.Helper()
	st, err := n.Next(x.ctx)
	x.must(err)
	return st
}

func (x *fixture) nextList(c *watch.Children) watch.List {
	x.t.Helper()
	l, err := c.Next(x.ctx)
	x.must(err)
	return l
}

func TestGoneReturnsWhenTheZnodeIsDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		gone := x.gone(x.ctx, "/a")
		x.set("/a", "another wake-up")
		x.remove("/a")
		x.must(receive(x, gone).err)
		x.must(watch.Gone(x.ctx, x.s, "/a"))
		x.must(watch.Gone(x.ctx, x.s, "/never/there"))
		if n := x.watchers("/a") + x.watchers("/never/there"); n != 0 {
			t.Errorf("%d watches left on missing znodes", n)
		}
	})
}

func TestADeletionWhileDisconnectedIsSeenAfterwards(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.create("/a/child")
		x.caughtUp()
		n := x.node("/a")
		c := watch.NewChildren(x.s, "/a")
		defer c.Stop()
		x.nextState(n)
		x.nextList(c)
		gone := x.gone(x.ctx, "/a")
		x.offline(func() { x.remove("/a/child"); x.remove("/a") })
		x.must(receive(x, gone).err)
		if st := x.nextState(n); st.Exists {
			t.Errorf("still there: %+v", st)
		}
		if l := x.nextList(c); l.Exists || len(l.Names) > 0 {
			t.Errorf("still there: %+v", l)
		}
	})
}

func TestAnotherZnodeByTheSameNameIsAnotherState(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		n := x.node("/a")
		c := watch.NewChildren(x.s, "/a")
		defer c.Stop()
		before, list := x.nextState(n), x.nextList(c)
		ctx, cancel := context.WithCancelCause(x.ctx)
		defer cancel(nil)
		gone := x.gone(ctx, "/a")
		x.offline(func() { x.remove("/a"); x.create("/a") })
		after := x.nextState(n)
		if !after.Exists || after.Stat.Czxid <= before.Stat.Czxid || after.Stat.Version != before.Stat.Version {
			t.Errorf("%+v, then %+v", before, after)
		}
		if l := x.nextList(c); !l.Exists || l.Stat.Czxid <= list.Stat.Czxid {
			t.Errorf("%+v, then %+v", list, l)
		}
		// For Gone a znode is there as before, and when that one goes, it is gone.
		x.gone(ctx, "/a")
		select {
		case r := <-gone:
			t.Errorf("gone while there is one: %v", r.err)
		default:
		}
		x.remove("/a")
		x.must(receive(x, gone).err)
	})
}

func TestABurstOfChangesEndsWithTheLatestState(t *testing.T) {
	const changes = 200
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		n := x.node("/a")
		last := x.nextState(n)
		done := async(func() (none struct{}, err error) {
			for i := 1; i <= changes && err == nil; i++ {
				_, err = x.admin.Set(x.ctx, x.path+"/a", fmt.Append(nil, i), -1)
				if i == changes/2 {
					x.proxy.Cut(true)
				}
			}
			return none, err
		})
		for string(last.Data) != fmt.Sprint(changes) {
			st := x.nextState(n)
			if st.Stat.Mzxid <= last.Stat.Mzxid {
				t.Fatalf("mzxid 0x%x came after 0x%x", st.Stat.Mzxid, last.Stat.Mzxid)
			}
			last = st
		}
		x.must(receive(x, done).err)
	})
}

func TestGoneNeedsNoPermissionToRead(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		_, err := x.admin.Create(x.ctx, x.path+"/a", nil, 0, zk.WorldACL(zk.PermAll&^zk.PermRead))
		x.must(err)
		x.caughtUp()
		if _, err := x.node("/a").Next(x.ctx); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("err = %v, want no auth", err)
		}
		hand := newHandClock()
		gone := x.gone(clock.With(x.ctx, hand), "/a")
		for range 2 {
			if d := receive(x, hand.set); d != T/4 {
				t.Errorf("looks again after %v, want %v", d, T/4)
			}
			n := x.requests(faultproxy.OpExists)
			hand.pass(T / 4)
			x.passed(faultproxy.ToServer, faultproxy.OpExists, n+1)
		}
		receive(x, hand.set)
		x.remove("/a")
		x.caughtUp()
		hand.pass(T / 4)
		x.must(receive(x, gone).err)
	})
}

func TestALostEventIsMadeUpForByTheRecheck(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		hand := newHandClock()
		ctx := clock.With(x.ctx, hand)
		x.create("/a")
		x.create("/b")
		x.create("/c")
		x.caughtUp()
		n := x.node("/a")
		c := watch.NewChildren(x.s, "/b")
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
			receive(x, hand.set)
			receive(x, hand.set)
			events := x.events()
			reads := x.requests(faultproxy.OpGetData) + x.requests(faultproxy.OpGetChildren2)
			x.lose.Store(2)
			x.set("/a", fmt.Sprint(events))
			name := fmt.Sprintf("/b/%d", events)
			x.create(name)
			x.passed(faultproxy.ToClient, faultproxy.OpEvent, events+2)
			x.caughtUp() // its answer is behind the events
			if n := x.requests(faultproxy.OpGetData) + x.requests(faultproxy.OpGetChildren2); n != reads {
				t.Fatalf("%d reads although the events were lost", n-reads)
			}
			hand.pass(T)
			if r := receive(x, state); r.err != nil || string(r.v.Data) != fmt.Sprint(events) {
				t.Errorf("%+v", r)
			}
			if r := receive(x, list); r.err != nil || !slices.Contains(r.v.Names, name[len("/b/"):]) {
				t.Errorf("%+v", r)
			}
			// The watches are back: these come by their events, no time passes.
			x.set("/a", "back")
			x.create(name + "-back")
			if st, err := n.Next(ctx); err != nil || string(st.Data) != "back" {
				t.Errorf("%+v, %v", st, err)
			}
			if l, err := c.Next(ctx); err != nil || !slices.Contains(l.Names, name[len("/b/"):]+"-back") {
				t.Errorf("%+v, %v", l, err)
			}
			for len(hand.set) > 0 {
				<-hand.set
			}
			x.set("/a", "again")
			x.create(name + "-again")
		}
		gone := x.gone(ctx, "/c")
		for receive(x, hand.set) != T { // the first may be shorter, until the watch is known to be ready
		}
		x.lose.Store(1)
		x.remove("/c")
		x.caughtUp()
		hand.pass(T)
		x.must(receive(x, gone).err)
	})
}

func TestChildrenAreSortedAndTheirComingAndGoingIsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		for _, path := range []string{"/a", "/a/c", "/a/b"} {
			x.create(path)
		}
		x.caughtUp()
		c := watch.NewChildren(x.s, "/a")
		defer c.Stop()
		n := x.node("/a") // on the same path: the events of one must not confuse the other
		want := func(names ...string) {
			t.Helper()
			if l := x.nextList(c); !l.Exists || !slices.Equal(l.Names, names) {
				t.Errorf("%+v, want %v", l, names)
			}
		}
		want("b", "c")
		x.nextState(n)
		x.create("/a/a")
		want("a", "b", "c")
		x.set("/a", "no change of the list")
		if st := x.nextState(n); string(st.Data) != "no change of the list" {
			t.Errorf("%+v", st)
		}
		x.remove("/a/c")
		want("a", "b")
		x.offline(func() { x.remove("/a/b"); x.create("/a/b") })
		want("a", "b") // another b
	})
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
					onBoth(t, func(t *testing.T, x *fixture) {
						x.create("/a")
						x.caughtUp()
						n := x.node("/a")
						fault := x.proxy.On(func(f faultproxy.Frame) bool { return f.Op == op }, i, action)
						x.nextState(n)
						for step := 1; step <= 4; step++ {
							x.set("/a", fmt.Sprint(step))
							if st := x.nextState(n); string(st.Data) != fmt.Sprint(step) {
								t.Errorf("step %d: %+v", step, st)
							}
						}
						x.must(fault.Wait(x.ctx))
					})
				})
			}
		}
	}
}
