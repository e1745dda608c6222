package election_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestResigningInRunHandsOverAndRejoinsAtTheTail(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		a := run(t, client, path, "a", election.Config{})
		first := a.term()
		b := run(t, client, path, "b", election.Config{})
		b.events.wait(election.EventHeir, 1)
		for range 3 { // more than once does no harm
			first.Resign()
		}
		second := b.term()
		if first.Valid() || !errors.Is(context.Cause(first.Context()), recipe.ReasonReleased) {
			t.Errorf("after Resign: valid %v, cause %v", first.Valid(), context.Cause(first.Context()))
		}
		if ev := a.events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonReleased || ev.Token != first.Token() {
			t.Errorf("deposed: %+v", ev)
		}
		if ev := a.events.wait(election.EventJoined, 2); ev.Position != 1 {
			t.Errorf("rejoined with %d ahead", ev.Position)
		}
		second.Resign()
		if third := a.term(); third.Token() <= second.Token() {
			t.Errorf("token %d after %d", third.Token(), second.Token())
		}
	})
}

func TestCampaignAndResignInSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		el, err := election.New(client, path, election.Config{ID: "steps", Data: []byte("addr")})
		if err != nil {
			t.Fatal(err)
		}
		other, err := election.New(client, path, election.Config{ID: "other"})
		if err != nil {
			t.Fatal(err)
		}
		last := int64(0)
		for range 3 {
			term, err := el.Campaign(within(t))
			if err != nil {
				t.Fatal(err)
			}
			checkerOf(t, path).watch(term)
			if !term.Valid() || term.Token() <= last || term.ID() != "steps" || term.Remaining() <= 0 || time.Until(term.Deadline()) <= 0 {
				t.Fatalf("term %+v after token %d", term, last)
			}
			last = term.Token()
			if st := el.Status(); st.State != election.StateLeading || st.Token != last || st.LeaseRemaining <= 0 || st.Node != term.Node() {
				t.Errorf("status while leading: %+v", st)
			}
			if _, err := el.Campaign(within(t)); !errors.Is(err, election.ErrRunning) {
				t.Errorf("a second Campaign: %v", err)
			}
			if err := el.Run(within(t), lead); !errors.Is(err, election.ErrRunning) {
				t.Errorf("Run beside Campaign: %v", err)
			}
			// The wait of another is over before it has won: it leaves nothing.
			waiting, cancel := context.WithCancelCause(within(t))
			enough := errors.New("enough")
			time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
			if _, err := other.Campaign(waiting); !errors.Is(err, enough) {
				t.Errorf("Campaign after its context: %v", err)
			}
			await.Until(t, "line of one", func() bool { return len(children(t, client, path)) == 1 }) // a create is taken back in the background
			if err := term.Release(within(t)); err != nil {
				t.Fatal(err)
			}
			if term.Valid() || len(children(t, client, path)) != 0 {
				t.Error("Resign has returned before the znode is gone")
			}
			if err := term.Release(within(t)); err != nil {
				t.Errorf("again: %v", err)
			}
			if st := el.Status(); st.State != election.StateIdle || st.Node != "" || st.LastReason != recipe.ReasonReleased {
				t.Errorf("status after Resign: %+v", st)
			}
		}
	})
}

func TestACallbacksEndIsATermsEnd(t *testing.T) {
	mine := errors.New("mine")
	wrapped := fmt.Errorf("enough: %w", election.ErrStop)
	for name, c := range map[string]struct {
		lead   func(context.Context, *election.Term) error
		reason recipe.Reason
		says   error // EventDeposed's
		run    error // Run's; nil means that it goes on
	}{
		"nil":          {func(context.Context, *election.Term) error { return nil }, recipe.ReasonReturned, nil, nil},
		"error":        {func(context.Context, *election.Term) error { return mine }, recipe.ReasonReturned, mine, nil},
		"ErrStop":      {func(context.Context, *election.Term) error { return election.ErrStop }, recipe.ReasonStopped, nil, election.ErrStop},
		"wrapped stop": {func(context.Context, *election.Term) error { return wrapped }, recipe.ReasonStopped, nil, wrapped},
		"Goexit": {func(context.Context, *election.Term) error { runtime.Goexit(); return nil },
			recipe.ReasonPanicked, election.ErrGoexit, election.ErrGoexit},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				path := pathFor(t)
				client := open(t, e, session.Config{})
				cand := runWith(t, client, path, "a", election.Config{}, c.lead)
				term := cand.term()
				ev := cand.events.wait(election.EventDeposed, 1)
				if ev.Reason != c.reason || !errors.Is(ev.Err, c.says) || (ev.Err == nil) != (c.says == nil) {
					t.Errorf("deposed with %v, %v", ev.Reason, ev.Err)
				}
				if c.run == nil {
					cand.events.wait(election.EventElected, 2) // a term as short as this one delays the next only
					cand.stop()
				}
				<-cand.done
				switch {
				case c.run == election.ErrStop && cand.err != nil,
					c.run == nil && !errors.Is(cand.err, context.Canceled),
					c.run != nil && c.run != election.ErrStop && cand.err != c.run:
					t.Errorf("Run returned %v", cand.err)
				}
				if term.Valid() {
					t.Error("valid after its end")
				}
				empty(t, client, path)
			})
		})
	}
}

func TestAPanicComesOutOfRunWhenTheZnodeIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		events := newEvents(t, "a")
		el, err := election.New(client, path, election.Config{OnEvent: events.Add})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, "boom") || !strings.Contains(v, "resign_both_test.go") {
					t.Errorf("Run panicked with %s", v)
				}
			}()
			err := el.Run(within(t), func(context.Context, *election.Term) error { panic("boom") })
			t.Errorf("Run returned %v", err)
		}()
		if ev := events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonPanicked {
			t.Errorf("deposed: %+v", ev)
		}
		if err := faultOf(events.All()); err != nil {
			t.Error(err)
		}
		if all := children(t, client, path); len(all) != 0 {
			t.Errorf("left behind: %v", all)
		}
		// The candidate can be used again.
		ctx, cancel := context.WithCancel(within(t))
		if err := el.Run(ctx, func(context.Context, *election.Term) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Run again: %v", err)
		}
	})
}

func TestEverythingMayBeCalledFromAnEventHandler(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		var el *election.Election
		terms := make(chan *election.Term, 1)
		handler := func(ev election.Event) {
			el.Status()
			client.Status()
			switch ev.Kind {
			case election.EventJoined:
				if _, err := el.Candidates(within(t)); err != nil {
					t.Error(err)
				}
			case election.EventElected:
				(<-terms).Resign()
			case election.EventLeft:
				client.Close()
			}
		}
		el, err := election.New(client, path, election.Config{OnEvent: handler})
		if err != nil {
			t.Fatal(err)
		}
		err = el.Run(within(t), func(ctx context.Context, term *election.Term) error {
			terms <- term
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, session.ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
		if err := el.Run(within(t), lead); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Run on a closed client: %v", err)
		}
		if _, err := el.Campaign(within(t)); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Campaign on a closed client: %v", err)
		}
	})
}

func TestAContextThatEndsInTheInstantOfWinning(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		for i := range 15 {
			ctx, cancel := context.WithCancel(within(t))
			el, err := election.New(client, path, election.Config{OnEvent: func(ev election.Event) {
				if ev.Kind == election.EventElected || ev.Kind == election.EventJoined && i%3 == 0 {
					cancel()
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			// A term or an error, never both; and nothing is left of either.
			term, err := el.Campaign(ctx)
			if (term == nil) == (err == nil) {
				t.Fatalf("Campaign returned %v, %v", term, err)
			}
			if term != nil {
				if !term.Valid() {
					t.Error("a term that does not begin")
				}
				if err := term.Release(within(t)); err != nil {
					t.Error(err)
				}
			}
			empty(t, client, path)
			cancel()
		}
	})
}
