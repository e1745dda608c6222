package zktest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// holding is a trace of servers, simulated or real, whose requests can be held: those at the
// follower that is server 0.
type holding struct {
	*trace
	hold    func() // the requests that come from now on
	reached func() // waits until one is held
	release func()
	depose  func() // ends the leader
	follows func() // waits until server 0 follows one
}

// heldPrograms show what becomes of a write that is held.
var heldPrograms = map[string]func(holding){
	"comes late":          holding.comesLate,
	"is refused":          holding.isRefused,
	"outlives the leader": holding.outlivesTheLeader,
}

// first sends the write that is held, as the second request of a session.
func (h holding) first() *raw {
	a := h.open("a")
	a.create("/late", []byte("none"), 0)
	h.hold()
	a.post(5, "/late", []byte("first"), -1)
	h.reached()
	return a
}

// comesLate: the session goes on elsewhere, and a handshake brings it back. So the first write is
// carried out after the second, although nobody waits for its answer any more.
func (h holding) comesLate() {
	a := h.first()
	b := a.again("b", 1)
	b.set("/late", []byte("second"), -1)
	h.want("v=1")
	a.again("c", 0)
	h.want("session=s1")
	a.expectClosed("as the session is on another connection here")
	other := h.client("other", 1).hello("opens a session", 0, stays, 0, make([]byte, 16), false)
	other.get("/late", true)
	h.want(`data="second"`)
	h.release()
	other.awaitEvent()
	other.get("/late", false)
	h.want(`data="first"`)
	b.set("/late", []byte("third"), -1)
	h.want("connection closed")
}

// isRefused: the same without the last handshake.
func (h holding) isRefused() {
	a := h.first()
	b := a.again("b", 1)
	b.set("/late", []byte("second"), -1)
	h.want("v=1")
	h.release()
	a.expectClosed("as the session has moved")
	h.want("connection closed")
	b.get("/late", false)
	h.want(`data="second"`)
	b.set("/late", []byte("third"), 1)
	h.want("v=2")
}

// outlivesTheLeader: the server loses its leader and follows another. The client comes back to it
// and is served. Nevertheless it still has the first write.
func (h holding) outlivesTheLeader() {
	a := h.first()
	h.depose()
	a.expectClosed("as the server has lost its leader")
	h.want("connection closed")
	h.follows()
	b := a.again("b", 0)
	b.set("/late", []byte("second"), -1)
	h.want("v=1")
	b.get("/late", true)
	h.release()
	b.awaitEvent()
	b.get("/late", false)
	h.want(`data="first"`)
	b.set("/late", []byte("third"), 2)
	h.want("v=3")
}

func TestAHeldWriteGoesOnAsOnRealServers(t *testing.T) {
	for name, run := range heldPrograms {
		t.Run(name, func(t *testing.T) {
			cfg := three
			cfg.Tick = tick
			inBubble(t, cfg, func(t *testing.T, b *bench) {
				f := b.e.Followers()[0]
				b.dial = dialOurs(b.e)
				run(holding{
					trace: b.trace, hold: f.HoldRequests, reached: synctest.Wait, release: f.ReleaseRequests,
					depose: func() { b.e.Leader().Kill() },
					follows: func() {
						eventually(t, "another leader", time.Minute, func() bool { return len(b.e.Followers()) == 1 })
					},
				})
			})
		})
	}
}

// What comes while requests are held, pings among it, waits its turn and keeps its session alive.
func TestHeldRequestsWaitInTheirOrderAndCount(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a, other := b.timed("a", f, 4000), b.timed("other", f, 4000)
		gone := b.timed("gone", f, 4000)
		b.e.Server(f).HoldRequests()
		var xids []int
		for i := range 20 {
			<-time.After(time.Second)
			xids = append(xids, a.post(1, "/a-", []byte{}, open, 2))
			if i == 10 {
				gone.post(1, "/gone", []byte{}, open, 0)
				b.e.Host("gone").Cut()
			}
			other.send(pack(-2, 11))
		}
		if n := len(b.e.Nodes()); n != 0 {
			t.Errorf("%d znodes, want none before the release", n)
		}
		if b.sessionOf(a).ID == 0 || b.sessionOf(other).ID == 0 || b.sessionOf(gone).ID != 0 {
			t.Errorf("sessions %v, want those that have sent something", b.e.Sessions())
		}
		b.e.Server(f).ReleaseRequests()
		last := a.post(4, "/a-0000000019", false)
		for _, xid := range xids {
			a.await(xid, 1, "create")
			b.want("err=0")
		}
		a.await(last, 4, "get")
		b.want("err=0")
		other.await(-2, 11, "ping")
		b.want("err=0")
		if strings.Contains(strings.Join(b.lines, "\n"), "instead of") {
			t.Errorf("answers in another order: %q", b.lines)
		}
		if strings.Contains(paths(b.e.Nodes()), "/gone") {
			t.Error("the write of a session that is over was carried out")
		}
	})
}

func TestALeaderHoldsNoRequests(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		b.e.Leader().HoldRequests()
		a := b.on("a", b.leader())
		a.create("/x", nil, 0)
		b.want("err=0")
	})
}

// A server that is frozen, too, releases nothing before it thaws.
func TestRequestsReleasedAtAFrozenServerGoOnWhenItThaws(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.on("a", f)
		b.e.Server(f).HoldRequests()
		first := a.post(1, "/a-", []byte{}, open, 2)
		synctest.Wait()
		b.e.Server(f).Freeze()
		second := a.post(1, "/a-", []byte{}, open, 2)
		b.e.Server(f).ReleaseRequests()
		if n := len(b.e.Nodes()); n != 0 {
			t.Errorf("%d znodes while the server is frozen", n)
		}
		b.e.Server(f).Thaw()
		a.await(first, 1, "create")
		b.want(`path="/a-0000000000"`)
		a.await(second, 1, "create")
		b.want(`path="/a-0000000001"`)
	})
}

func TestAKilledServerHasNoRequestsThatItHeld(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		s := b.e.Server(b.follower())
		a := b.on("a", s.ID())
		s.HoldRequests()
		lost := a.post(1, "/x", []byte{}, open, 0)
		synctest.Wait()
		s.Kill()
		a.await(lost, 1, "the create")
		b.want("connection closed")
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server is back", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
		a = b.back(a, s.ID())
		a.create("/y", nil, 0)
		b.want("err=0")
		s.ReleaseRequests()
		a.create("/z", nil, 0)
		if got := paths(b.e.Nodes()); got != "/y /z" {
			t.Errorf("znodes %s", got)
		}
	})
}
