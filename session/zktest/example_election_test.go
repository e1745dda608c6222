package zktest_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The tests in this file show how a service that uses the election is tested with this package, in
// fake time. Each is complete apart from candidate, which stands for starting your service.

// candidate runs one instance of the service on a host of its own: it connects to the servers,
// stands for election, and calls lead whenever it is elected. stop ends it in good order.
func candidate(t *testing.T, host *zktest.Host, name, servers string, lead func(context.Context, *election.Term) error) (stop func()) {
	client, err := session.Open(servers, session.Config{Dial: host.Dial})
	if err != nil {
		t.Fatal(err)
	}
	el, err := election.New(client, "/service", election.Config{ID: name})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- el.Run(context.Background(), lead) }()
	return func() {
		client.Close()
		<-done
	}
}

// simulated starts three servers with ZooKeeper's usual tick, in the bubble's time.
func simulated(t *testing.T) *zktest.Ensemble {
	return zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 2 * time.Second, Logf: func(string, ...any) {}})
}

// A failover: the leader's machine is cut off from the network, and the other takes over when it
// has heard no heartbeat for a lease. That takes more than three seconds of simulated time, and the
// test does not wait for them. This is the whole test, including what a service needs to start.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 2 * time.Second})
		leads := make(chan string)
		for _, name := range []string{"a", "b"} {
			client, _ := session.Open(e.ConnectString(), session.Config{Dial: e.Host(name).Dial})
			defer client.Close()
			el, _ := election.New(client, "/service", election.Config{})
			go el.Run(t.Context(), func(ctx context.Context, _ *election.Term) error {
				leads <- name
				<-ctx.Done()
				return nil
			})
		}
		first := <-leads
		e.Host(first).Hold()
		if second := <-leads; second == first {
			t.Errorf("%s leads again", second)
		}
	})
}

// A service's callback: it works while it leads, with the token, and stops when it is told.
func TestALeaderWorksUntilItIsToldToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		var tokens []int64
		stop := candidate(t, e.Host("a"), "a", e.ConnectString(), func(ctx context.Context, term *election.Term) error {
			for ctx.Err() == nil {
				tokens = append(tokens, term.Token())
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
				}
			}
			return nil
		})
		time.Sleep(time.Hour - time.Minute/2)
		stop()
		if len(tokens) != 60 || slices.Max(tokens) != slices.Min(tokens) {
			t.Errorf("worked %d times in an hour, with tokens %v", len(tokens), slices.Compact(tokens))
		}
		if sessions := e.Sessions(); len(sessions) > 0 {
			t.Errorf("left behind: %v", sessions)
		}
	})
}

// A lost session: the ensemble expires it while the client is connected. The term ends. Its reason
// is what is heard first: that the leader's znode is gone, or that the session is over. The
// candidate enters again by itself.
func TestALostSessionEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		terms, ends := make(chan *election.Term, 2), make(chan error, 2)
		stop := candidate(t, e.Host("a"), "a", e.ConnectString(), func(ctx context.Context, term *election.Term) error {
			terms <- term
			<-ctx.Done()
			ends <- context.Cause(ctx)
			return nil
		})
		first := <-terms
		e.ExpireSession(e.Sessions()[0].ID)
		err := <-ends
		if !errors.Is(err, recipe.ReasonNodeDeleted) && !errors.Is(err, recipe.ReasonSessionLost) || first.Valid() {
			t.Errorf("the term ended with %v, valid %v", err, first.Valid())
		}
		second := <-terms
		if second.Token() <= first.Token() {
			t.Errorf("token %d after %d", second.Token(), first.Token())
		}
		stop()
	})
}

// A partition between servers: the follower that the leader is connected to loses the others and
// does not know it yet. It answers reads and pings for another ten seconds; the term ends before
// the others can elect somebody else.
func TestAPartitionedFollowerDoesNotKeepItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		follower := e.Followers()[0]
		terms := make(chan *election.Term, 2)
		lead := func(ctx context.Context, term *election.Term) error {
			terms <- term
			<-ctx.Done()
			return nil
		}
		// A client that knows more than one server would move to another.
		stopA := candidate(t, e.Host("a"), "a", follower.Addr(), lead)
		first := <-terms
		stopB := candidate(t, e.Host("b"), "b", e.ConnectString(), lead)
		time.Sleep(time.Minute)

		follower.Isolate()
		second := <-terms
		if first.Valid() || second.ID() != "b" {
			t.Errorf("%s leads while the term of %s is valid: %v", second.ID(), first.ID(), first.Valid())
		}
		follower.Rejoin()
		stopA()
		stopB()
	})
}

// A slow callback: a leader that resigns keeps the leadership until its work has stopped, so that
// the next leader does not begin meanwhile.
func TestTheNextLeaderWaitsForASlowCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		var atWork atomic.Int32
		leads := make(chan string)
		lead := func(ctx context.Context, term *election.Term) error {
			if atWork.Add(1) > 1 {
				t.Errorf("%s begins while another is at work", term.ID())
			}
			leads <- term.ID()
			<-ctx.Done()
			time.Sleep(20 * time.Second) // finishing what was begun
			atWork.Add(-1)
			return nil
		}
		stops := map[string]func(){
			"a": candidate(t, e.Host("a"), "a", e.ConnectString(), lead),
			"b": candidate(t, e.Host("b"), "b", e.ConnectString(), lead),
		}
		first := <-leads
		begun := time.Now()
		go stops[first]()
		second := <-leads
		if waited := time.Since(begun); waited < 20*time.Second {
			t.Errorf("%s led after %v", second, waited)
		}
		stops[second]()
	})
}
