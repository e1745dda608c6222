package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// short is a session timeout for tests that wait for the end of a session or of a lease. A lease
// lasts for 2 s then: no shorter, because a busy machine would end it too soon.
const short = 4 * time.Second

// lineUp starts candidates that stand in line in this order, each with a client of its own, and
// returns when each is in its place.
func lineUp(t *testing.T, path string, clients ...*session.Client) (all []*candidate, first *election.Term) {
	t.Helper()
	return inTurn(len(clients), func(i int) *candidate {
		return run(t, clients[i], path, string(rune('a'+i)), election.Config{})
	})
}

// inTurn starts n candidates, each when the one before is in its place.
func inTurn(n int, start func(i int) *candidate) (all []*candidate, first *election.Term) {
	for i := range n {
		c := start(i)
		c.events.wait(election.EventJoined, 1)
		switch i {
		case 0:
			first = c.term()
		case 1:
			c.events.wait(election.EventHeir, 1)
		}
		all = append(all, c)
	}
	return all, first
}

func TestAShortDisconnectionDeposesNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		all, first := lineUp(t, path, open(t, w, patient), open(t, e, patient))
		for range 10 {
			w.cut()
			before := w.replies()[faultproxy.OpMulti]
			await.Until(t, "beat", func() bool { return w.replies()[faultproxy.OpMulti] > before })
		}
		if !first.Valid() || first.Context().Err() != nil || all[1].events.count(election.EventElected) != 0 {
			t.Errorf("the leader is gone; events:\n%v%v", all[0].events, all[1].events)
		}
	})
}

func TestARestartedCandidateDoesNotTakeOverItsFormerZnode(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		before := run(t, open(t, w, session.Config{}), path, "same", election.Config{})
		old := before.term()
		w.crash()
		after := run(t, open(t, e, session.Config{}), path, "same", election.Config{})
		if ev := after.events.wait(election.EventJoined, 1); ev.Position != 1 || ev.Node == old.Node() {
			t.Errorf("joined as %s with %d ahead; want behind the old znode", ev.Node, ev.Position)
		}
		if term := after.term(); term.Token() <= old.Token() || term.Node() == old.Node() {
			t.Errorf("leads with token %d at %s", term.Token(), term.Node())
		}
	})
}

func TestASessionSaidToHaveExpiredDeposesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		a := run(t, open(t, w, session.Config{}), path, "a", election.Config{})
		first := a.term()
		f := w.on(faultproxy.Fail, is(faultproxy.OpConnect)) // says so, although the session lives
		w.cut()
		f.wait()
		if ev := a.events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonSessionLost || !errors.Is(ev.Err, session.ErrExpired) {
			t.Errorf("deposed: %v, %v", ev.Reason, ev.Err)
		}
		if cause := context.Cause(first.Context()); first.Valid() || !errors.Is(cause, session.ErrExpired) {
			t.Errorf("valid %v, cause %v", first.Valid(), cause)
		}
		// The old znode lives until the ensemble ends its session: it is waited for.
		if ev := a.events.wait(election.EventJoined, 2); ev.Position != 1 {
			t.Errorf("joined with %d ahead", ev.Position)
		}
		if second := a.term(); second.Token() <= first.Token() {
			t.Errorf("token %d after %d", second.Token(), first.Token())
		}
	})
}
