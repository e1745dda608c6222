package election_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A term ends a hundred times, for each reason in turn. The candidate comes back each time.
func TestAHundredLossesAreFollowedByAHundredReturns(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.turns.Expels = true
		admin := s.Admin()
		a := s.enter("a")
		for i := range 100 {
			term := a.term()
			switch i % 4 {
			case 0:
				s.ExpireSession(a.client.Status().Session)
			case 1:
				if err := admin.Delete(t.Context(), term.Node(), -1); err != nil {
					t.Fatal(err)
				}
			case 2:
				term.Resign()
				term.Resign()
			case 3:
				a.host.Drop()
				await.Sleep(2 * stageT) // until it has expired
				a.host.Cut()
				a.host.Heal()
			}
			<-term.Context().Done()
		}
		a.term()
		if n := len(s.inLine()); n != 1 {
			t.Errorf("%d znodes", n)
		}
	})
}

func TestHundredsOfChangesOfLeadersLeaveNothingBehind(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, term := s.lineUp("a", "b")
		measure := func() (goroutines, watches, znodes int) {
			await.Sleep(stageT)
			return runtime.NumGoroutine(), len(s.Watches()), len(s.inLine())
		}
		change := func(n int) {
			for i := range n {
				term.Resign()
				term = all[(i+1)%2].term()
				all[i%2].events.wait(election.EventJoined, 2)
				s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
			}
		}
		change(50)
		g, w, z := measure()
		change(200)
		if g2, w2, z2 := measure(); g2 > g+5 || w2 > w || z2 > z {
			t.Errorf("goroutines %d, then %d; watches %d, then %d; znodes %d, then %d", g, g2, w, w2, z, z2)
		}
	})
}

// Somebody writes to the leader's znode all the time: each write costs the heir one read, and the
// leader goes on, although its own watch is always used up.
func TestAnHeirAnswersEachIdleWakeUpWithOneRead(t *testing.T) {
	var mu sync.Mutex // guards requests
	requests := map[zktest.Op]int{}
	cfg := zktest.Config{OnRequest: func(r zktest.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Host == "b" && !strings.HasPrefix(r.Path, beats) {
			requests[r.Op]++
		}
	}}
	onStage(t, cfg, func(t *testing.T, s *stage) {
		_, first := s.lineUp("a", "b")
		admin := s.Admin()
		mu.Lock()
		clear(requests)
		mu.Unlock()
		const writes = 1000
		for range writes {
			if _, err := admin.Set(t.Context(), first.Node(), nil, -1); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if n := requests[zktest.OpGetData]; n > writes+2 {
			t.Errorf("%d reads for %d writes", n, writes)
		}
		if n := requests[zktest.OpGetChildren2] + requests[zktest.OpCreate] + requests[zktest.OpSync]; n != 0 {
			t.Errorf("requests %v", requests)
		}
		if !first.Valid() || len(s.begun()) != 1 {
			t.Errorf("%d terms", len(s.begun()))
		}
	})
}

// A candidate whose work fails at once is not elected in a loop, and not before others.
func TestWorkThatFailsAtOnceIsNotTriedInALoop(t *testing.T) {
	fails := func(context.Context, *election.Term) error { return errors.New("it does not work here") }
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		sick := s.enterWith("sick", election.Config{}, fails)
		sick.term()
		await.Sleep(time.Minute)
		if n := sick.events.count(election.EventElected); n < 2 || n > 600 { // ten times a second while nobody else stands
			t.Errorf("%d terms in a minute alone", n)
		}
		well := s.enter("well")
		term := well.term()
		before := sick.events.count(election.EventJoined)
		await.Sleep(time.Minute)
		if n := sick.events.count(election.EventJoined) - before; !term.Valid() || n > 1 {
			t.Errorf("the other leads: %v; joined %d times meanwhile", term.Valid(), n)
		}
	})
}

// A handler that takes a minute for each event misses none.
func TestASlowHandlerMissesNothing(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		events := newEvents(t, "a")
		a := s.enterWith("a", election.Config{OnEvent: func(ev election.Event) {
			time.Sleep(time.Minute)
			events.Add(ev)
		}}, untilTheEnd)
		first := a.term()
		const flaps = 15
		for range flaps {
			await.Sleep(stageT)
			a.host.Cut()
		}
		await.Sleep(stageT)
		a.host.Drop()
		<-first.Context().Done()
		await.Sleep(3 * stageT)
		a.host.Cut()
		a.host.Heal()
		a.term()
		a.stop()
		await.Sleep(time.Hour)
		for kind, want := range map[election.EventKind]int{
			election.EventJoined: 2, election.EventElected: 2, election.EventDeposed: 2, election.EventLeft: 2, election.EventSuspended: flaps,
		} {
			if n := events.count(kind); n < want {
				t.Errorf("%d times %v, want %d", n, kind, want)
			}
		}
		if ev := last(events, election.EventDeposed); ev == nil || ev.Reason != recipe.ReasonCancelled {
			t.Errorf("the last end: %+v", ev)
		}
		if err := faultOf(events.All()); err != nil {
			t.Error(err)
		}
	})
}
