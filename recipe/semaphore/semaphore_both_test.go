package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestSoManyHoldAndTheOthersAreServedInOrder(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, x *contest) {
		var held []*semaphore.Permit
		for i := range 3 {
			held = append(held, x.contender(fmt.Sprint("h", i)).acquire())
		}
		var waiting []<-chan *semaphore.Permit
		for i := range 5 {
			waiting = append(waiting, x.contender(fmt.Sprint("w", i)).queue())
		}
		if !x.empty(waiting[0], 10*contestT) {
			t.Fatal("a fourth holds one")
		}
		x.Soon("five hand-overs", func() {
			for i := range 5 {
				x.release(held[i])
				held = append(held, <-waiting[i])
			}
		})
		if got, want := fmt.Sprint(x.admitted()), "[h0 h1 h2 w0 w1 w2 w3 w4]"; got != want {
			t.Errorf("order %v", got)
		}
		for _, p := range held[5:] {
			x.release(p)
		}
		x.nobodyWaited()
		x.none("leases")
		x.none("locks")
	})
}

// Many users, few permits.
func TestPermitsChangeHands(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, x *contest) {
		const users, rounds = 8, 5
		var working sync.WaitGroup
		for i := range users {
			c := x.contender(fmt.Sprint(i), slotted)
			working.Go(func() {
				for range rounds {
					p := <-c.begin(1)
					if p == nil {
						return
					}
					if err := p.Release(await.Context(t)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		working.Wait()
		if n := len(x.admitted()); n != users*rounds && !t.Failed() {
			t.Errorf("%d acquisitions", n)
		}
		x.none("leases")
		x.none("locks")
	})
}

func TestAnyHolderThatLeavesMakesRoom(t *testing.T) {
	onBoth(t, 2, func(t *testing.T, x *contest) {
		a, b, c := x.contender("a"), x.contender("b"), x.contender("c")
		first, second := a.acquire(), b.acquire()
		waiting := c.queue()
		x.Pass(contestT)
		var third *semaphore.Permit
		x.Soon("the third", func() {
			x.release(second) // not the one at any particular place
			third = <-waiting
		})
		x.release(first)
		x.release(third)
		x.nobodyWaited()
	})
}

// Neither the next in line nor one that comes later waits for a lease.
func TestWhoGivesUpInLineDelaysNobody(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a, b, c, d := x.contender("a"), x.contender("b"), x.contender("c"), x.contender("d")
		held := a.acquire()
		b.giveUp() // it was at the front
		waiting := c.queue()
		d.giveUp()
		x.Soon("the next in line", func() {
			x.release(held)
			held = <-waiting
		})
		x.release(held)
		x.Soon("one that comes then", func() { x.release(b.acquire()) })
		x.nobodyWaited()
		x.none("leases")
		x.none("locks")
	})
}

func TestTryAcquireWritesNothingWhereAllIsTaken(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		proxies := shared.Proxies(t, x.Servers)
		a, b := x.contender("a"), x.at(x.ClientAt(proxies, session.Config{}), "b", x.size)
		held := a.acquire()
		x.CaughtUp(b.client)
		counts := func(ops ...faultproxy.Op) (n int) {
			for _, p := range proxies {
				for _, op := range ops {
					n += p.Counts().Requests[op].Frames
				}
			}
			return n
		}
		writes := func() int {
			return counts(faultproxy.OpCreate, faultproxy.OpMulti, faultproxy.OpDelete, faultproxy.OpSetData)
		}
		const tries = 100
		before, all := writes(), x.below("leases")
		for range tries {
			if _, err := b.TryAcquire(t.Context()); err != semaphore.ErrBusy {
				t.Fatalf("error %v", err)
			}
		}
		if n := writes() - before; n > 0 {
			t.Errorf("%d writes during %d tries", n, tries)
		}
		if n := counts(faultproxy.OpGetChildren2, faultproxy.OpGetData, faultproxy.OpExists); n < tries {
			t.Errorf("there were %d reads, so not all requests are seen", n)
		}
		if now := x.below("leases"); !slices.Equal(now, all) {
			t.Errorf("permits %v; want %v", now, all)
		}
		x.release(held)
		x.CaughtUp(b.client)
		got, err := b.TryAcquire(await.Context(t))
		shared.Must(t, err)
		x.check(t, "b", got)
		x.release(got)
	})
}

func TestTryAcquireDoesNotPassThoseWhoWait(t *testing.T) {
	onBoth(t, 2, func(t *testing.T, x *contest) {
		a := x.contender("a")
		held := []*semaphore.Permit{a.acquire(), a.acquire()}
		b, c := x.contender("b").queue(), x.contender("c").queue()
		for _, p := range held { // there is room for c before it stands at the front
			go p.Release(context.Background())
		}
		done := make(chan error, 5)
		for i := range cap(done) {
			d := x.contender(fmt.Sprint("d", i))
			go func() {
				for len(b) == 0 || len(c) == 0 {
					p, err := d.TryAcquire(await.Context(t))
					if err == nil {
						p.Release(context.Background())
					}
					if err != semaphore.ErrBusy && (len(b) == 0 || len(c) == 0) {
						done <- fmt.Errorf("%s: error %v", d.name, err)
						return
					}
				}
				done <- nil
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		x.release(<-b)
		x.release(<-c)
	})
}

func TestADeletedPermitEndsAndIsWaitedFor(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a, b := x.contender("a"), x.contender("b")
		held := a.acquire()
		waiting := b.queue()
		x.Pass(contestT)
		x.Delete(held.Node())
		<-held.Context().Done()
		if !errors.Is(context.Cause(held.Context()), recipe.ReasonNodeDeleted) || held.Valid() {
			t.Errorf("ended: %v", context.Cause(held.Context()))
		}
		var ended *recipe.EndedError
		if err := held.Release(t.Context()); !errors.As(err, &ended) || ended.Reason != recipe.ReasonNodeDeleted {
			t.Errorf("Release of what was lost: %v", err)
		}
		x.release(<-waiting)
		if n := x.withheld(); n != 1 {
			t.Errorf("it has waited for %d leases; want 1", n)
		}
	})
}

func TestSeveralAtOnceDoNotWaitForEachOther(t *testing.T) {
	onBoth(t, 2, func(t *testing.T, x *contest) {
		a, b := x.contender("a").begin(2), x.contender("b").begin(2)
		var first *semaphore.Permit
		select {
		case first = <-a:
			b, a = a, b
		case first = <-b:
		}
		if first.N() != 2 || !x.empty(a, 5*contestT) {
			t.Fatal("both hold two of two")
		}
		x.release(first)
		x.release(<-a)
		if _, err := x.contender("c").AcquireN(t.Context(), 3); !isA[*semaphore.SizeError](err) {
			t.Errorf("three of two: %v", err)
		}
		x.none("leases")
	})
}

func TestHoldersAreListed(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, x *contest) {
		a, b, c := x.contender("a", slotted), x.contender("b", slotted), x.contender("c", slotted)
		first := a.acquire()
		two := <-b.begin(2)
		waiting := c.queue()
		all, err := c.Holders(t.Context())
		if err != nil || len(all) < 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		if h := all[0]; h.ID != "a" || h.Node != first.Node() || h.Session != x.Session(a.client).ID() || fmt.Sprint(h.Slots) != "[0]" {
			t.Errorf("%+v", h)
		}
		if h := all[1]; h.ID != "b" || h.Session != x.Session(b.client).ID() || fmt.Sprint(h.Slots) != "[1 2]" {
			t.Errorf("%+v", h)
		}
		for _, h := range all {
			if h.ID == "c" {
				t.Errorf("%+v waits", h)
			}
		}
		x.release(first)
		x.release(two)
		x.release(<-waiting)
	})
}

// Two stand at the front of the line at once, because somebody has deleted the znode of the first.
// Only the older permit is admitted.
func TestRankAdmitsWhereTheInnerLineIsBroken(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a, first, second := x.contender("a"), x.contender("b"), x.contender("c")
		permits := func(n int) {
			await.Until(t, fmt.Sprint(n, " permits"), func() bool { return len(x.below("leases")) == n })
		}
		held := a.acquire()
		b := first.queue()
		permits(2)
		for _, path := range x.below("locks") {
			x.Delete(path)
		}
		c := second.queue()
		permits(3)
		if !x.empty(b, contestT) || !x.empty(c, contestT) {
			t.Fatal("two of one")
		}
		x.release(held)
		got := <-b
		if !x.empty(c, 2*contestT) {
			t.Fatal("two of one")
		}
		x.release(got)
		x.release(<-c)
	})
}

// A path that was deleted and made again begins with number 0. A permit of the old one must not
// announce its number there.
func TestAPermitOfADeletedPathAnnouncesNothing(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		x.expels = true
		a, b := x.contender("a"), x.contender("b")
		for range 5 {
			x.release(a.acquire())
		}
		old := a.acquire()
		x.Delete(old.Node())
		x.Delete(x.path + "/leases")
		x.release(b.acquire())
		old.Release(t.Context())
		x.Pass(contestT)
		if record := x.Data(x.path + "/leases"); !strings.HasSuffix(record, "\nsettled 1\nslots\n") {
			t.Errorf("%q", record)
		}
	})
}

// A persistent znode, of any library, has a permit until somebody deletes it.
func TestAPersistentPermitIsReported(t *testing.T) {
	for name, prefix := range map[string]string{
		"ours":    "_c_6d9c7c1e-1cb2-8f6e-8f0a-b1fd3b2d0d2b-lease-",
		"foreign": "lease-",
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, 2, func(t *testing.T, x *contest) {
				a := x.contender("a")
				x.release(a.acquire()) // makes the path
				planted, err := x.Admin.Create(t.Context(), x.path+"/leases/"+prefix, nil, zk.FlagSequence, nil)
				shared.Must(t, err)
				first := a.acquire() // there is room for one beside it
				got := a.begin(1)
				if ev := a.next(semaphore.EventBlocked, 1); ev.Node != planted {
					t.Errorf("blocked by %q; want %q", ev.Node, planted)
				}
				if st := a.Status(); len(st.Claims) != 2 || st.Claims[0].Blocked || !st.Claims[1].Blocked {
					t.Errorf("%+v", st)
				}
				x.Pass(2 * contestT)
				if n := a.count(semaphore.EventBlocked); n != 1 || a.count(semaphore.EventAcquired) != 2 {
					t.Errorf("told %d times; acquired %d times", n, a.count(semaphore.EventAcquired))
				}
				x.Delete(planted)
				x.release(<-got)
				x.release(first)
			})
		})
	}
}
