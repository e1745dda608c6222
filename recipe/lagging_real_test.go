package recipe_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/hold"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

// A follower still answers reads but receives nothing new: the thread that handles the messages of
// the ZooKeeper leader is stopped. A client of that follower that asks a recipe for what is true
// now gets no old answer.
func TestOnServersAFollowerThatLagsDeceivesNobody(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Debug: true, SyncLimit: 80, MaxSessionTimeout: time.Minute}) // on a busy machine all takes long
	if e.External() {
		t.Skip("SKIP: a server of an external ensemble cannot be stopped in the middle")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	leader, err := e.Leader(ctx)
	ok(t, err)
	follower, err := e.Follower(ctx)
	ok(t, err)
	there, here := newUser(ctx, t, leader.Addr()), newUser(ctx, t, follower.Addr())
	ok(t, there.counter.CompareAndSet(ctx, 0, 1))
	here.sees(ctx, t, 1, "", false)

	vm, err := hold.Attach(ctx, hold.Address(follower.DebugAddr()))
	ok(t, err)
	defer vm.Close()
	held, err := vm.Hold(ctx, hold.PingReply)
	ok(t, err)
	_, err = held.Wait(ctx)
	ok(t, err)
	ok(t, there.counter.CompareAndSet(ctx, 1, 2))
	ok(t, there.barrier.Raise(ctx))
	_, err = there.group.Join(ctx)
	ok(t, err)
	s, err := here.client.Session(ctx)
	ok(t, err)
	if data, _, err := s.Get(ctx, "/app/n"); string(data) != "1" || err != nil {
		t.Fatalf("the follower does not lag: %q, %v", data, err)
	}

	answers := make(chan string, 4) // of those who ask now
	ask := func(what string, call func() error) {
		go func() {
			if err := call(); err != nil {
				what += ": " + err.Error()
			}
			answers <- what
		}()
	}
	waiting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ask("counter", func() error { _, err := here.counter.Get(ctx); return err })
	ask("group", func() error { _, err := here.list.Fresh(ctx); return err })
	ask("cache", func() error { return here.cache.Fresh(ctx) })
	ask("barrier", func() error { return here.barrier.Wait(waiting) })
	select {
	case what := <-answers:
		t.Errorf("%s is answered while the follower lags", what)
	case <-time.After(time.Second): // no answer is expected
	}
	ok(t, held.Release(ctx))
	for range 3 {
		t.Log(<-answers)
	}
	here.sees(ctx, t, 2, "there", true)
	giveUp()
	<-answers
}

// A user has all of these recipes on one client.
type user struct {
	client  *session.Client
	counter *value.Counter
	barrier *barrier.Barrier
	group   *group.Group
	list    *group.Members
	cache   *cache.Cache
}

func newUser(ctx context.Context, t *testing.T, addr string) *user {
	t.Helper()
	client, err := session.Open(addr, session.Config{Timeout: time.Minute})
	ok(t, err)
	t.Cleanup(func() { client.Close() })
	u := &user{client: client}
	u.counter, err = value.NewCounter(client, "/app/n", value.CounterConfig{})
	ok(t, err)
	u.barrier, err = barrier.New(client, "/app/b", barrier.Config{})
	ok(t, err)
	u.group, err = group.New(client, "/app/g", group.Config{ID: "there", Prove: -1})
	ok(t, err)
	u.list = u.group.Watch()
	t.Cleanup(u.list.Close)
	u.cache, err = cache.New(client, "/app", cache.Config{Depth: cache.DepthChildren})
	ok(t, err)
	t.Cleanup(u.cache.Close)
	ok(t, u.cache.Wait(ctx))
	return u
}

// sees demands that a user sees this number, these members, and whether the barrier is up.
func (u *user) sees(ctx context.Context, t *testing.T, number int64, member string, up bool) {
	t.Helper()
	if n, err := u.counter.Get(ctx); n != number || err != nil {
		t.Errorf("the counter is %d, %v; want %d", n, err, number)
	}
	s, err := u.list.Fresh(ctx)
	ok(t, err)
	if _, in := s.ByID("there"); in != (member != "") {
		t.Errorf("the members are %+v", s.Members)
	}
	ok(t, u.cache.Fresh(ctx))
	if n, _, err := u.cache.Get(ctx, "/app/n"); string(n.Data) != string('0'+byte(number)) || err != nil {
		t.Errorf("the cache has %q, %v; want %d", n.Data, err, number)
	}
	if !up {
		ok(t, u.barrier.Wait(ctx))
		return
	}
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := u.barrier.Wait(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v; the barrier is up", err)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
