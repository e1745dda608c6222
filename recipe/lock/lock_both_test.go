package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestALockGoesFromOneToTheNext(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b, c := x.contender("a"), x.contender("b"), x.contender("c")
		first := a.acquire()
		if !first.Valid() || first.Remaining() <= 0 || first.Token() == 0 {
			t.Errorf("valid %v, remaining %v, token %d", first.Valid(), first.Remaining(), first.Token())
		}
		second := b.queue()
		third := c.queue()
		x.Pass(5 * contestT)
		if len(second) > 0 {
			t.Fatal("b holds what a has")
		}
		release(t, first)
		if first.Valid() || first.Remaining() != 0 || first.Context().Err() == nil {
			t.Error("what was released is held")
		}
		want(t, context.Cause(first.Context()), recipe.ReasonReleased)
		release(t, <-second)
		release(t, <-third)
		release(t, first) // again
		if left := x.inLine(); len(left) != 0 {
			t.Errorf("left in line: %v", left)
		}
	})
}

// Goroutines of one process exclude each other, on one Lock or on two.
func TestContendersOfOneProcessExcludeEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		one := x.contender("a")
		two := x.at(one.client, "a")
		const n = 20
		var inside atomic.Int32
		done := make(chan error, n)
		for i := range n {
			l := []*lock.Lock{one.Lock, two.Lock}[i%2]
			go func() {
				done <- l.Do(await.Context(t), func(ctx context.Context, h *lock.Held) error {
					if inside.Add(1) > 1 {
						return errors.New("two inside")
					}
					time.Sleep(5 * time.Millisecond)
					inside.Add(-1)
					return ctx.Err()
				})
			}()
		}
		for range n {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// The path is deleted with each holder. Contenders that come at that moment get no error, and
// tokens grow.
func TestContendersForAPathThatComesAndGoes(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		const n, rounds = 3, 20
		done := make(chan struct{}, n)
		for i := range n {
			c := x.contender(string(rune('a'+i)), lock.Config{Cleanup: true})
			go func() {
				defer func() { done <- struct{}{} }()
				for range rounds {
					h := <-c.begin()
					if h == nil {
						return
					}
					time.Sleep(time.Duration(i) * 5 * time.Millisecond)
					if err := h.Release(await.Context(t)); err != nil {
						t.Errorf("%s: %v", c.name, err)
					}
					time.Sleep(time.Duration(10*i) * time.Millisecond)
				}
				if failed := c.count(lock.EventFailed); failed > 0 {
					t.Errorf("%s failed %d times", c.name, failed)
				}
			}()
		}
		for range n {
			<-done
		}
		if x.Exists(x.path) {
			t.Error("the path is there")
		}
	})
}

// The path goes with the last, and tokens grow nevertheless.
func TestCleanupDeletesTheEmptyPath(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.contender("a", lock.Config{Cleanup: true}), x.contender("b", lock.Config{Cleanup: true})
		for i := range 10 {
			h := a.acquire()
			next := b.queue()
			release(t, h)
			h = <-next
			if !x.Exists(x.path) {
				t.Fatal("the path is gone though somebody holds the lock")
			}
			release(t, h)
			if x.Exists(x.path) {
				t.Fatalf("round %d: the path is there still", i)
			}
		}
	})
}

// There is one path for each object, and many objects. A path stays only where somebody else has
// put a znode below it. The data of a path go with it.
func TestCleanupOfManyPaths(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		const kept, withData, all = 5, 10, 210
		client := x.Client(session.Config{})
		path := func(i int) string { return fmt.Sprintf("%s/object-%03d", x.Dir, i) }
		var want []string
		for i := range kept {
			x.Make(path(i) + "/below")
			want = append(want, strings.TrimPrefix(path(i), x.Dir+"/"))
		}
		for i := kept; i < withData; i++ { // a contender that finds them waits for a lease
			_, err := x.Admin.Create(await.Context(t), path(i), []byte("of somebody else"), 0, nil)
			shared.Must(t, err)
		}
		var tokens [all]int64
		for round := range 2 {
			var working sync.WaitGroup
			for i := range all {
				l, err := lock.New(client, path(i), lock.Config{Cleanup: true})
				shared.Must(t, err)
				working.Go(func() {
					err := l.Do(await.Context(t), func(_ context.Context, h *lock.Held) error {
						if h.Token() <= tokens[i] {
							t.Errorf("%s, round %d: token %d after %d", path(i), round, h.Token(), tokens[i])
						}
						tokens[i] = h.Token()
						return nil
					})
					if err != nil {
						t.Errorf("%s, round %d: %v", path(i), round, err)
					}
				})
			}
			working.Wait()
			if left := slices.Sorted(slices.Values(x.Children(x.Dir))); !slices.Equal(left, want) {
				t.Fatalf("after round %d these are left: %v; want %v", round, left, want)
			}
		}
	})
}

// A contender that gives up announces it: neither the next in line nor one that joins later waits
// for a lease.
func TestWhoGivesUpDelaysNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b, c, d := x.contender("a"), x.contender("b"), x.contender("c"), x.contender("d")
		giveUp := func(c *contender) {
			ctx, cancel := context.WithCancel(t.Context())
			given := make(chan error, 1)
			n := c.count(lock.EventJoined) + 1
			go func() { _, err := c.Acquire(ctx); given <- err }()
			c.next(lock.EventJoined, n)
			cancel()
			want(t, <-given, context.Canceled)
			c.next(lock.EventLeft, n) // in the background; many at the same time may not announce it
		}
		first := a.acquire()
		giveUp(b)
		next := c.queue()
		giveUp(d)
		giveUp(b)
		x.Soon("the next in line", func() {
			release(t, first)
			first = <-next
		})
		giveUp(d)
		release(t, first) // the record was written since it was read last
		x.Soon("who joins then", func() { release(t, b.acquire()) })
		x.nobodyWaited()
	})
}

// Another has the lock after the lease, whether it waits in line or only tries.
func TestALockWhoseZnodeIsDeletedIsReported(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		waits := x.deleted(t, false)
		y := newContest(t, x.Servers) // both wait at the same time
		tries := y.deleted(t, true)
		release(t, <-waits)
		release(t, <-tries)
		if n, m := x.withheld(), y.withheld(); n != 1 || m != 1 {
			t.Errorf("they have waited for %d and %d leases; want 1 each", n, m)
		}
	})
}

// deleted deletes the znode of a holder, and returns what comes to another: one that waits for the
// lock, or one that tries to get it afterwards.
func (x *contest) deleted(t *testing.T, tries bool) (next <-chan *lock.Held) {
	t.Helper()
	a, b := x.contender("a"), x.contender("b")
	h := a.acquire()
	_, err := b.TryAcquire(await.Context(t))
	want(t, err, lock.ErrBusy)
	if !tries {
		next = b.queue()
	}
	x.Delete(h.Node())
	<-h.Context().Done()
	want(t, context.Cause(h.Context()), recipe.ReasonNodeDeleted)
	var ended *recipe.EndedError
	if err := h.Release(t.Context()); !errors.As(err, &ended) || ended.Reason != recipe.ReasonNodeDeleted {
		t.Errorf("Release of what was lost: %v", err)
	}
	if _, err := h.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("Multi: %v", err)
	}
	if tries {
		x.CaughtUp(b.client)
		next = b.try()
	}
	return next
}

func TestGuardedWritesEndWithTheLock(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		data := x.Dir + "/data"
		x.Make(data)
		h := x.contender("a").acquire()
		set := func(text string) error {
			_, err := h.Multi(t.Context(), &zk.SetDataRequest{Path: data, Data: []byte(text), Version: -1})
			return err
		}
		shared.Must(t, set("one"))
		release(t, h)
		want(t, set("two"), recipe.ErrNotHeld)
		if text := x.Data(data); text != "one" {
			t.Errorf("data %q", text)
		}
	})
}

func TestALockThatCannotBeJoinedIsAPermanentError(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		_, err := x.Admin.Create(t.Context(), x.path, nil, 0, zk.WorldACL(zk.PermRead))
		shared.Must(t, err)
		_, err = x.contender("a").Acquire(await.Context(t))
		var permanent *recipe.PermanentError
		if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("error %v", err)
		}
	})
}

func TestAPersistentZnodeAheadIsReported(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a := x.contender("a")
		release(t, a.acquire()) // makes the path
		planted, err := x.Admin.Create(t.Context(), x.path+"/lock-", nil, zk.FlagSequence, nil)
		shared.Must(t, err)
		got := a.begin()
		if ev := a.next(lock.EventBlocked, 1); ev.Node != planted {
			t.Errorf("blocked by %q; want %q", ev.Node, planted)
		}
		if st := a.Status(); len(st.Claims) != 1 || !st.Claims[0].Blocked {
			t.Errorf("%+v", st)
		}
		x.Pass(2 * contestT)
		if n := a.count(lock.EventBlocked); n != 1 || a.count(lock.EventAcquired) != 1 {
			t.Errorf("told %d times; acquired %d times", n, a.count(lock.EventAcquired))
		}
		x.Delete(planted)
		release(t, <-got)
	})
}
