package election_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// short is a session timeout for tests that wait for the end of a session or of a lease. A lease lasts for 2 s then: no
// shorter, because a busy machine would end it too soon.
const short = 4 * time.Second

// lineUp starts candidates that stand in line in this order, each with a client of its
// own, and returns when each is in its place.
func lineUp(t *testing.T, path string, clients ...*session.Client) (all []*candidate, first *election.Term) {
	t.Helper()
	for i, client := range clients {
		c := run(t, client, path, string(rune('a'+i)), election.Config{})
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

func TestACrashedLeaderIsReplaced(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	all, first := lineUp(t, path,
		open(t, w.ConnectString(), session.Config{}), open(t, e.ConnectString(), session.Config{}), open(t, e.ConnectString(), session.Config{}))
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

func TestAShortDisconnectionDeposesNobody(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	all, first := lineUp(t, path, open(t, w.ConnectString(), patient), open(t, e.ConnectString(), patient))
	for range 10 {
		w.cut()
		before := w.replies()[faultproxy.OpMulti]
		await.Until(t, "renewal", func() bool { return w.replies()[faultproxy.OpMulti] > before })
	}
	if !first.Valid() || first.Context().Err() != nil || all[1].events.count(election.EventElected) != 0 {
		t.Errorf("the leader is gone; events:\n%v%v", all[0].events, all[1].events)
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
	client := open(t, e.ConnectString(), session.Config{Dial: p.Dial})
	all, first := lineUp(t, path, client, open(t, e.ConnectString(), session.Config{}))
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
	all, first := lineUp(t, path, open(t, e.ConnectString(), session.Config{}), open(t, e.ConnectString(), session.Config{}))
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
	// Sessions survive a restart with a full timeout, so both are back in their place:
	// the same leader goes on, or hands over if the restart took longer than its lease.
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
	client := open(t, w.ConnectString(), session.Config{Timeout: 40 * time.Second, Lease: 16 * time.Second})
	a := run(t, client, path, "a", election.Config{StopBefore: 4 * time.Second})
	term := a.term()
	if ev := a.events.wait(election.EventJoined, 1); ev.Timeout != 2*time.Second {
		t.Errorf("joined with a timeout of %v", ev.Timeout)
	}
	if rest := term.Remaining(); rest > time.Second { // half of the timeout
		t.Errorf("a lease of %v", rest)
	}
	b := run(t, open(t, e.ConnectString(), session.Config{Timeout: 40 * time.Second}), path, "b", election.Config{})
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
	a := run(t, open(t, e.ConnectString(), session.Config{}), path, "a", election.Config{})
	b := run(t, open(t, e.ConnectString(), session.Config{}), path, "b", election.Config{})
	closed := run(t, open(t, e.ConnectString(), session.Config{}), path, "c", election.Config{})
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

func TestARestartedCandidateDoesNotTakeOverItsFormerZnode(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	before := run(t, open(t, w.ConnectString(), session.Config{}), path, "same", election.Config{})
	old := before.term()
	w.crash()
	after := run(t, open(t, e.ConnectString(), session.Config{}), path, "same", election.Config{})
	if ev := after.events.wait(election.EventJoined, 1); ev.Position != 1 || ev.Node == old.Node() {
		t.Errorf("joined as %s with %d ahead; want behind the old znode", ev.Node, ev.Position)
	}
	if term := after.term(); term.Token() <= old.Token() || term.Node() == old.Node() {
		t.Errorf("leads with token %d at %s", term.Token(), term.Node())
	}
}

func TestASessionSaidToHaveExpiredDeposesAtOnce(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	a := run(t, open(t, w.ConnectString(), session.Config{}), path, "a", election.Config{})
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
}
