package election_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestACrashedLeaderIsReplaced(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	all, first := lineUp(t, path,
		open(t, w, session.Config{}), open(t, e, session.Config{}), open(t, e, session.Config{}))
	w.crash()
	second := all[1].term()
	if first.Valid() || first.Context().Err() == nil {
		t.Error("the crashed leader leads on")
	}
	if ev := all[0].events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonLeaseExpired {
		t.Errorf("deposed: %v, %v", ev.Reason, ev.Err)
	}
	if second.Token() <= first.Token() {
		t.Errorf("token %d after %d", second.Token(), first.Token())
	}
	all[2].events.wait(election.EventHeir, 1)
	w.heal() // and returns, in a new session, behind the others
	before, n := all[0].events.wait(election.EventJoined, 1), 2
	back := all[0].events.wait(election.EventJoined, n)
	for back.Session == before.Session { // before it has heard that another took over from its session
		n++
		back = all[0].events.wait(election.EventJoined, n)
	}
	if back.Position != 2 {
		t.Errorf("back with %d ahead in session %x", back.Position, back.Session)
	}
	if !second.Valid() {
		t.Error("the return of one deposed another")
	}
}

func TestALeaderKeepsItsTermWhenItsServerIsKilled(t *testing.T) {
	e, path := three(t), pathFor(t)
	if e.External() {
		t.Skip("the servers are not ours to kill")
	}
	// A follower: with the ZooKeeper leader the quorum would be gone for a while.
	victim, err := e.Follower(within(t))
	if err != nil {
		t.Fatal(err)
	}
	var p dialer
	p.set("", victim.Addr())
	client := open(t, e, session.Config{Dial: p.Dial})
	all, first := lineUp(t, path, client, open(t, e, session.Config{}))
	p.set("", "")
	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "move", func() bool { return p.at() != victim.Addr() && client.Status().State == session.StateConnected })
	if !first.Valid() || all[0].events.count(election.EventDeposed) != 0 {
		t.Errorf("the leader is gone; events:\n%v", all[0].events)
	}
	if err := victim.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	if !first.Valid() {
		t.Errorf("the leader is gone when the server is back; events:\n%v", all[0].events)
	}
}

func TestAFullRestartOfTheEnsembleHandsOverOnceAtMost(t *testing.T) {
	e, path := three(t), pathFor(t)
	if e.External() {
		t.Skip("the servers are not ours to kill")
	}
	all, first := lineUp(t, path, open(t, e, session.Config{}), open(t, e, session.Config{}))
	sessions := []*session.Session{mustSession(t, all[0].client), mustSession(t, all[1].client)}
	begun := time.Now()
	for _, s := range e.Servers() {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Heal(within(t)); err != nil {
		t.Fatal(err)
	}
	// Sessions survive a restart with a full timeout, so both are back in their place: the same
	// leader goes on, or hands over if the restart took longer than its lease.
	for _, s := range sessions {
		for ctx := within(t); s.Err() == nil && ctx.Err() == nil && s.Sync(ctx, "/") != nil; { // the answer may be lost
		}
		if took := time.Since(begun); s.Err() != nil && took < steady {
			t.Fatalf("lost a session after %v: %v", took, s.Err())
		} else if s.Err() != nil {
			t.Skipf("SKIP: the restart took %v, longer than a session lasts", took)
		}
	}
	if all[0].events.count(election.EventSuspended) > 0 {
		all[0].events.wait(election.EventResumed, 1)
	}
	if !first.Valid() {
		if ev := all[0].events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonLeaseExpired {
			t.Errorf("deposed: %v, %v", ev.Reason, ev.Err)
		}
		all[1].term()
	}
	if n := all[0].events.count(election.EventElected) + all[1].events.count(election.EventElected); n > 2 {
		t.Errorf("%d terms; events:\n%v%v", n, all[0].events, all[1].events)
	}
}

func TestTheTimeoutGrantedCounts(t *testing.T) {
	path := pathFor(t)
	e := ensemble.Shared(t, ensemble.Config{Servers: 1, MaxSessionTimeout: 2 * time.Second})
	if e.External() {
		t.Skip("needs a server with a small maxSessionTimeout")
	}
	w := wireTo(t, e)
	client := open(t, w, session.Config{Timeout: 40 * time.Second, Lease: 16 * time.Second})
	a := run(t, client, path, "a", election.Config{StopBefore: 4 * time.Second})
	term := a.term()
	if ev := a.events.wait(election.EventJoined, 1); ev.Timeout != 2*time.Second {
		t.Errorf("joined with a timeout of %v", ev.Timeout)
	}
	if rest := term.Remaining(); rest > time.Second { // half of the timeout
		t.Errorf("a lease of %v", rest)
	}
	b := run(t, open(t, e, session.Config{Timeout: 40 * time.Second}), path, "b", election.Config{})
	b.events.wait(election.EventHeir, 1)
	w.crash()
	<-term.Context().Done()
	if !errors.Is(context.Cause(term.Context()), recipe.ReasonLeaseExpired) {
		t.Errorf("cause %v", context.Cause(term.Context()))
	}
	b.term() // the checker sees whether that was too early
}

func TestCandidatesWaitForAnEnsembleThatStartsLater(t *testing.T) {
	path := pathFor(t)
	e := three(t)
	if e.External() {
		t.Skip("the servers are not ours to stop")
	}
	for _, s := range e.Servers() {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	a := run(t, open(t, e, session.Config{}), path, "a", election.Config{})
	b := run(t, open(t, e, session.Config{}), path, "b", election.Config{})
	closed := run(t, open(t, e, session.Config{}), path, "c", election.Config{})
	await.Until(t, "word of what is wrong with each server", func() bool {
		servers := a.client.Status().Servers
		return len(servers) == 3 && !slices.ContainsFunc(servers, func(s session.ServerStatus) bool { return s.Err == nil })
	}, func() any { return a.client.Status().Servers })
	await.Until(t, "status joining", func() bool { return a.Status().State == election.StateJoining }, func() any { return a.Status() })
	closed.client.Close()
	<-closed.done
	if !errors.Is(closed.err, session.ErrClosed) {
		t.Errorf("Run returned %v", closed.err)
	}
	if err := e.Heal(within(t)); err != nil {
		t.Fatal(err)
	}
	a.events.wait(election.EventJoined, 1)
	b.events.wait(election.EventJoined, 1)
	if all := children(t, a.client, path); len(all) != 2 {
		t.Errorf("in line: %v", all)
	}
}
