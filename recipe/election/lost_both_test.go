package election_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Every request of a candidate's life is lost in turn, first on its way to the server, then on the
// way back, until one passes without a loss. No loss costs more than a reconnect: the session, the
// place in the line and the leadership are kept, and nothing is left behind.

func TestALeadersLifeSurvivesTheLossOfAnyRequest(t *testing.T) {
	for _, action := range []faultproxy.Action{faultproxy.LoseRequest, faultproxy.LoseReply} {
		sweep(t, action, func(t *testing.T, e shared.Servers, path string, w *wire) {
			client := open(t, w, session.Config{})
			el, err := election.New(client, path, election.Config{})
			if err != nil {
				t.Fatal(err)
			}
			term, err := el.Campaign(within(t))
			if err != nil {
				t.Fatal(err)
			}
			checkerOf(t, path).watch(term)
			id := client.Status().Session
			if err := term.Proclaim(within(t), []byte("data")); err != nil && session.OutcomeOf(err) != session.OutcomeUnknown {
				t.Errorf("Proclaim: %v", err)
			}
			if !term.Valid() {
				t.Error("the leadership is lost")
			}
			if all := children(t, admins(t, e), path); len(all) != 1 {
				t.Errorf("in line while leading: %v", all)
			}
			if err := term.Release(within(t)); err != nil {
				t.Fatal(err)
			}
			if all := children(t, admins(t, e), path); len(all) != 0 {
				t.Errorf("left behind: %v", all)
			}
			if got := client.Status().Session; got != id {
				t.Errorf("session %x, was %x", got, id)
			}
		})
	}
}

func TestAnHeirsLifeSurvivesTheLossOfAnyRequest(t *testing.T) {
	for _, action := range []faultproxy.Action{faultproxy.LoseRequest, faultproxy.LoseReply} {
		sweep(t, action, func(t *testing.T, e shared.Servers, path string, w *wire) {
			client := open(t, e, session.Config{})
			a, err := election.New(client, path, election.Config{ID: "a"})
			if err != nil {
				t.Fatal(err)
			}
			first, err := a.Campaign(within(t))
			if err != nil {
				t.Fatal(err)
			}
			checkerOf(t, path).watch(first)
			heir := open(t, w, session.Config{})
			events := newEvents(t, "b")
			b, err := election.New(heir, path, election.Config{ID: "b", OnEvent: events.Add})
			if err != nil {
				t.Fatal(err)
			}
			type won struct {
				term *election.Term
				err  error
			}
			result := make(chan won, 1)
			go func() {
				term, err := b.Campaign(within(t))
				result <- won{term, err}
			}()
			events.wait(election.EventHeir, 1)
			await.Until(t, "lease", func() bool { return heir.Status().LeaseRemaining > 0 })
			if err := first.Release(within(t)); err != nil {
				t.Fatal(err)
			}
			second := <-result
			if second.err != nil {
				t.Fatal(second.err)
			}
			checkerOf(t, path).watch(second.term)
			if n := events.count(election.EventJoined); n != 1 {
				t.Errorf("joined %d times; events:\n%v", n, events)
			}
			if err := second.term.Release(within(t)); err != nil {
				t.Fatal(err)
			}
			if all := children(t, client, path); len(all) != 0 {
				t.Errorf("left behind: %v", all)
			}
		})
	}
}

// sweep runs a life again and again, and strikes its first request, its second, and so on, until
// there is nothing left to strike.
func sweep(t *testing.T, action faultproxy.Action, life func(t *testing.T, e shared.Servers, path string, w *wire)) {
	t.Helper()
	name := map[faultproxy.Action]string{faultproxy.LoseRequest: "lost request", faultproxy.LoseReply: "lost reply"}[action]
	for n := 1; ; n++ {
		struck := false
		t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				w := wireTo(t, e)
				f := w.on(action, nth(n, func(f faultproxy.Frame) bool {
					return request(f) && f.Op != faultproxy.OpCloseSession
				}))
				life(t, e, pathFor(t), w)
				select {
				case <-f.struck:
					struck = true
					t.Logf("struck %v %v", f.frame.Op, f.frame.First)
				default:
				}
			})
		})
		if !struck || t.Failed() {
			if n < 5 {
				t.Errorf("only %d requests in a life", n-1)
			}
			return
		}
	}
}

// A candidate that is told to end while a reply is held ends at once and leaves nothing, although
// its session lives on.
func TestACampaignThatIsCancelledAtAnyStepIsTakenBack(t *testing.T) {
	for name, step := range map[string]func(f faultproxy.Frame, path string) bool{
		"the create": func(f faultproxy.Frame, _ string) bool { return creates(f) },
		"a read":     func(f faultproxy.Frame, _ string) bool { return f.Op == faultproxy.OpGetData },
		"the list":   func(f faultproxy.Frame, _ string) bool { return f.Op == faultproxy.OpGetChildren2 },
		"a beat": func(f faultproxy.Frame, _ string) bool {
			return f.Op == faultproxy.OpMulti && f.First == faultproxy.OpCheck
		},
		"the departure": departs,
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				path := pathFor(t)
				w := wireTo(t, e)
				client := open(t, w, session.Config{})
				if err := mustSession(t, client).EnsurePath(within(t), path, nil); err != nil {
					t.Fatal(err)
				}
				el, err := election.New(client, path, election.Config{})
				if err != nil {
					t.Fatal(err)
				}
				held := w.on(faultproxy.HoldReply, func(f faultproxy.Frame) bool { return step(f, path) })
				ctx, cancel := context.WithCancel(within(t))
				result := make(chan error, 1)
				go func() {
					term, err := el.Campaign(ctx)
					if name == "the departure" { // in line until then
						err = term.Release(ctx)
					}
					result <- err
				}()
				held.wait()
				cancel()
				select {
				case err := <-result:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("ended with %v", err)
					}
				case <-time.After(patience):
					t.Fatal("it outlasts its context")
				}
				held.release()
				await.Until(t, "deletion", func() bool { return len(children(t, admins(t, e), path)) == 0 })
				if client.Status().State != session.StateConnected {
					t.Errorf("the session is %v", client.Status().State)
				}
			})
		})
	}
}
