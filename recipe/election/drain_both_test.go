package election_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheZnodeIsDeletedOnlyWhenTheCallbackHasReturned(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		deleted := make(chan struct{}, 10)
		w.Each(func(p *faultproxy.Proxy) {
			p.OnFrame(func(f faultproxy.Frame) {
				if f.Dir == faultproxy.ToServer && departs(f, path) {
					deleted <- struct{}{}
				}
			})
		})
		finish := make(chan struct{})
		stop := sync.OnceFunc(func() { close(finish) })
		defer stop()
		client := open(t, w, session.Config{})
		a := runWith(t, client, path, "a", election.Config{}, func(ctx context.Context, term *election.Term) error {
			<-ctx.Done()
			<-finish
			select {
			case <-deleted:
				t.Error("the znode was deleted while the callback ran")
			default:
			}
			return nil
		})
		term := a.term()
		b := run(t, open(t, e, session.Config{}), path, "b", election.Config{})
		b.events.wait(election.EventHeir, 1)
		term.Resign()
		if st := a.Status(); term.Valid() || st.State == election.StateIdle {
			t.Errorf("after Resign: valid %v, status %+v", term.Valid(), st)
		}
		a.events.wait(election.EventDeposed, 1)
		if st := a.Status(); st.State != election.StateDraining {
			t.Errorf("status while the callback stops: %v", st.State)
		}
		// Longer than the lease would be without beats: they go on.
		select {
		case <-b.terms:
			t.Fatal("another leads while the callback runs")
		case <-time.After(client.Status().LeaseTime * 5 / 4):
		}
		stop()
		b.term()
		select {
		case <-deleted:
		default:
			t.Error("nothing was deleted at the proxy")
		}
	})
}

func TestDrainTimeoutGivesTheLeadershipAway(t *testing.T) {
	const drain = 500 * time.Millisecond
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		finish := make(chan struct{})
		stop := sync.OnceFunc(func() { close(finish) })
		defer stop()
		client := open(t, e, session.Config{})
		a := runWith(t, client, path, "a", election.Config{DrainTimeout: drain}, func(ctx context.Context, term *election.Term) error {
			<-finish // and never looks at its context
			return nil
		})
		term := a.term()
		b := run(t, open(t, e, session.Config{}), path, "b", election.Config{})
		b.events.wait(election.EventHeir, 1)
		begun := time.Now()
		term.Resign()
		b.term()
		if waited := time.Since(begun); waited < drain {
			t.Errorf("another leads %v after Resign; want DrainTimeout to pass", waited)
		}
		a.events.wait(election.EventLeft, 1)
		if st := a.Status(); st.State != election.StateDraining || st.Node != "" {
			t.Errorf("status while the callback is stuck: %+v", st)
		}
		// A callback that will not stop holds up Run, and nothing else.
		if n := a.events.count(election.EventJoined); n != 1 {
			t.Error("the candidate is back while its callback runs")
		}
		closed := make(chan struct{})
		go func() { client.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(patience):
			t.Error("Close waits for a callback that will not stop")
		}
		select {
		case <-a.done:
			t.Error("Run has returned before its callback")
		default:
		}
		stop()
		<-a.done
		if !errors.Is(a.err, session.ErrClosed) {
			t.Errorf("Run returned %v", a.err)
		}
	})
}

func TestCloseTakesTheLeadershipFromACampaignThatIsNotResigned(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		const drain = 300 * time.Millisecond
		events := newEvents(t, "a")
		el, err := election.New(client, path, election.Config{DrainTimeout: drain, OnEvent: events.Add})
		if err != nil {
			t.Fatal(err)
		}
		term, err := el.Campaign(within(t))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		client.Close()
		if took := time.Since(begun); took < drain {
			t.Errorf("Close took %v, less than DrainTimeout", took)
		}
		if term.Valid() || !errors.Is(context.Cause(term.Context()), recipe.ReasonClosed) {
			t.Errorf("valid %v, cause %v", term.Valid(), context.Cause(term.Context()))
		}
		if err := term.Release(within(t)); err != nil {
			t.Errorf("Resign after Close: %v", err)
		}
		events.wait(election.EventLeft, 1)
		if err := faultOf(events.All()); err != nil {
			t.Error(err)
		}
		if all := children(t, admins(t, e), path); len(all) != 0 {
			t.Errorf("left behind: %v", all)
		}
	})
}
