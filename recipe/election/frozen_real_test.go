package election_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// attached is a leader, an heir and a waiter that are attached to one follower.
type attached struct {
	t        *testing.T
	victim   *ensemble.Server
	healthy  string // the address of another server
	dialers  [3]dialer
	clients  []*session.Client
	all      []*candidate
	first    *election.Term
	sessions [3]int64
}

func attach(t *testing.T) *attached {
	t.Helper()
	e := three(t)
	if e.External() {
		t.Skip("the servers are not ours to freeze")
	}
	victim, err := e.Follower(within(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &attached{t: t, victim: victim}
	for _, addr := range e.Addrs() {
		if addr != victim.Addr() {
			a.healthy = addr
		}
	}
	for i := range a.dialers {
		a.dialers[i].set("", victim.Addr())
		a.clients = append(a.clients, open(t, e, session.Config{Lease: steady / 2, Dial: a.dialers[i].Dial}))
	}
	a.all, a.first = lineUp(t, pathFor(t), a.clients...)
	a.sessions = a.ids()
	t.Cleanup(func() { victim.Thaw() })
	return a
}

func (a *attached) ids() (ids [3]int64) {
	for i, c := range a.clients {
		ids[i] = c.Status().Session
	}
	return ids
}

// settle waits until all are connected to other servers, and makes sure that nobody has lost
// anything by it.
func (a *attached) settle() {
	a.t.Helper()
	await.Until(a.t, "move", func() bool {
		for i := range a.dialers {
			if a.dialers[i].at() == a.victim.Addr() || a.clients[i].Status().State != session.StateConnected {
				return false
			}
		}
		return true
	})
	if got := a.ids(); got != a.sessions {
		a.t.Errorf("sessions %x, were %x", got, a.sessions)
	}
	for _, c := range a.all {
		if n := c.events.count(election.EventLeft); n != 0 {
			a.t.Errorf("%s has lost its place; events:\n%v", c.events.who, c.events)
		}
	}
	if !a.first.Valid() || a.first.Context().Err() != nil {
		a.t.Errorf("the leader is gone; events:\n%v", a.all[0].events)
	}
}

// handOver makes sure that the line still works.
func (a *attached) handOver() {
	a.t.Helper()
	a.first.Resign()
	a.all[1].term().Resign()
	a.all[2].term()
}

func TestAFollowerThatFreezesCostsNobodyItsPlace(t *testing.T) {
	a := attach(t)
	if err := a.victim.Freeze(); err != nil {
		t.Fatal(err)
	}
	for i := range a.dialers {
		a.dialers[i].set("", "")
		a.dialers[i].detour(a.victim.Addr(), a.healthy)
	}
	a.settle()
	a.handOver()
}

// A frozen server takes connections and says nothing. One that is tried first after the loss of a
// connection must not cost the leadership.
func TestAFrozenFollowerTriedFirstCostsNobodyItsPlace(t *testing.T) {
	a := attach(t)
	for i := range a.dialers { // to a server that will not freeze
		a.dialers[i].set("", "")
		a.dialers[i].detour(a.victim.Addr(), a.healthy)
		a.dialers[i].drop()
	}
	a.settle()
	if err := a.victim.Freeze(); err != nil {
		t.Fatal(err)
	}
	// A beat is nearly due: the worst moment.
	await.Until(t, "short lease", func() bool { return a.first.Remaining() < a.clients[0].Status().LeaseTime*7/8 })
	for i := range a.dialers {
		a.dialers[i].set(a.victim.Addr(), "")
		a.dialers[i].drop()
	}
	await.Until(t, "attempt at the frozen server", func() bool {
		for i := range a.dialers {
			if !a.dialers[i].tried() {
				return false
			}
		}
		return true
	})
	a.settle()
	a.handOver()
}
