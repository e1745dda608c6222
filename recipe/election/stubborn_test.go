package election_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Tests of users' functions that misbehave, and of what that must not cause.

func embedded(t *testing.T) (*zktest.Ensemble, *session.Client) {
	t.Helper()
	e := zktest.Start(t, zktest.Config{MaxSessionTimeout: steady})
	return e, open(t, e, session.Config{Timeout: steady})
}

func TestAHealthCheckThatDoesNotAnswerCountsAsUnhealthyAndHoldsUpNobody(t *testing.T) {
	_, client := embedded(t)
	leads, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	c := run(t, client, "/e", "a", election.Config{HealthEvery: 50 * time.Millisecond, Healthy: func(context.Context) error {
		select {
		case <-leads:
			<-release // whatever its context says
		default:
		}
		return nil
	}})
	c.term()
	close(leads)
	if ev := c.events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonUnhealthy {
		t.Errorf("deposed for %v", ev.Reason)
	}
	c.events.wait(election.EventLeft, 1)
	c.stop() // returns although Healthy does not
}

func TestAHealthCheckMayRelease(t *testing.T) {
	_, client := embedded(t)
	terms := make(chan *election.Term, 1)
	el, err := election.New(client, "/e", election.Config{HealthEvery: 20 * time.Millisecond, Healthy: func(context.Context) error {
		select {
		case term := <-terms:
			return term.Release(context.Background())
		default:
			return nil
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	term, err := el.Campaign(within(t))
	if err != nil {
		t.Fatal(err)
	}
	terms <- term
	if err := term.Release(within(t)); err != nil { // the same end for both
		t.Error(err)
	}
}

func TestCallbacksThatEndTheirGoroutineHangNobody(t *testing.T) {
	_, client := embedded(t)
	for name, cfg := range map[string]election.Config{
		"OnEvent": {OnEvent: func(election.Event) { runtime.Goexit() }},
		"Healthy": {HealthEvery: 10 * time.Millisecond, Healthy: func(context.Context) error { runtime.Goexit(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			el, err := election.New(client, "/"+name, cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				el.Run(ctx, func(ctx context.Context, _ *election.Term) error { <-ctx.Done(); return nil })
			}()
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("Run hangs")
			}
		})
	}
}

func TestResigningFromTheElectedEventDoesNotWait(t *testing.T) {
	_, client := embedded(t)
	resigned := make(chan struct{}, 100)
	c := newEvents(t, "a")
	el, err := election.New(client, "/e", election.Config{OnEvent: func(ev election.Event) {
		c.Add(ev)
		if ev.Kind == election.EventElected {
			ev.Term.Resign()
			resigned <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		el.Run(ctx, func(ctx context.Context, _ *election.Term) error { <-ctx.Done(); return nil })
	}()
	for range 3 {
		<-resigned
	}
	cancel()
	<-done
}

func TestEverySubscriberHearsOfEveryEventInOrder(t *testing.T) {
	_, client := embedded(t)
	var heard [3][]election.EventKind
	hear := func(i int) func(election.Event) {
		return func(ev election.Event) { heard[i] = append(heard[i], ev.Kind) }
	}
	el, err := election.New(client, "/e", election.Config{OnEvent: hear(0)})
	if err != nil {
		t.Fatal(err)
	}
	el.Subscribe(hear(1))
	stop := el.Subscribe(hear(2))
	run := func() {
		if err := el.Run(within(t), func(context.Context, *election.Term) error { return election.ErrStop }); err != nil {
			t.Fatal(err)
		}
	}
	run()
	stop()
	run()
	once := []election.EventKind{election.EventJoined, election.EventElected, election.EventDeposed, election.EventLeft}
	twice := slices.Concat(once, once)
	for i, want := range [][]election.EventKind{twice, twice, once} {
		if !slices.Equal(heard[i], want) {
			t.Errorf("subscriber %d has heard %v; want %v", i, heard[i], want)
		}
	}
}

func TestReleaseInTheCallbackOfRunIsRefusedAndEndsNothing(t *testing.T) {
	_, client := embedded(t)
	el, err := election.New(client, "/e", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = el.Run(within(t), func(ctx context.Context, term *election.Term) error {
		if err := term.Release(ctx); err == nil || !term.Valid() {
			t.Errorf("Release returned %v; valid: %v", err, term.Valid())
		}
		return election.ErrStop
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnEndedContextCreatesNothing(t *testing.T) {
	e, client := embedded(t)
	if _, err := client.Session(within(t)); err != nil {
		t.Fatal(err)
	}
	el, err := election.New(client, "/e", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := el.Campaign(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if n := e.Counts().Requests[zktest.OpCreate] + e.Counts().Requests[zktest.OpMulti]; n != 0 {
		t.Errorf("%d creates", n)
	}
}

func TestAZnodeThatMustNotBeDeletedEndsTheSessionRatherThanStay(t *testing.T) {
	var trap shared.Trap
	e := zktest.Start(t, zktest.Config{MaxSessionTimeout: steady, OnRequest: trap.Requested})
	client := open(t, e, session.Config{Timeout: steady})
	s, err := client.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsurePath(within(t), "/e", noDelete); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsurePath(within(t), strings.TrimSuffix(beats, "/"), nil); err != nil { // or the first attempt fails
		t.Fatal(err)
	}
	e.Server(1).Slow(100 * time.Millisecond) // the create is under way for that long
	el, err := election.New(client, "/e", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	trap.Set(func(r zktest.Request) bool {
		if r.Op == zktest.OpMulti { // the first place comes with the heartbeat
			cancel()
		}
		return r.Op == zktest.OpMulti
	})
	if _, err := el.Campaign(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	<-s.Done() // nothing else would free the election
}
