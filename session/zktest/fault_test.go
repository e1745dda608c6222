package zktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestALostReplyLeavesTheChangeBehind(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		r := b.e.On(zktest.Match{Op: zktest.OpCreate, Path: "/x*", Nth: 2}, zktest.LoseReply)
		a := b.on("a", 1)
		a.create("/x1", nil, 0)
		a.create("/y", nil, 0)
		if r.Hits() != 0 {
			t.Error("the rule took effect too early")
		}
		a.create("/x2", nil, 0)
		b.want("connection closed")
		<-r.Fired()
		a = b.back(a, 1)
		a.create("/x3", nil, 0)
		b.want("err=0")
		if got := paths(b.e.Nodes()); got != "/x1 /x2 /x3 /y" {
			t.Errorf("znodes %s", got)
		}
		if r.Hits() != 1 {
			t.Errorf("%d hits, want 1", r.Hits())
		}
	})
}

func TestALostRequestChangesNothing(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3}, func(t *testing.T, b *bench) {
		b.e.On(zktest.Match{Op: zktest.OpCreate, Host: "a"}, zktest.LoseRequest)
		a, other := b.on("a", 1), b.on("other", 1)
		a.create("/x", nil, 0)
		b.want("connection closed")
		other.create("/y", nil, 0)
		b.want("err=0")
		if got := paths(b.e.Nodes()); got != "/y" {
			t.Errorf("znodes %s", got)
		}
	})
}

func TestADroppedReplyLeavesTheClientWaiting(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		b.e.On(zktest.Match{Op: zktest.OpSetData, Nth: 1}, zktest.DropReply)
		b.e.On(zktest.Match{Op: zktest.OpDelete, Nth: 1}, zktest.DropRequest)
		a := b.on("a", 1)
		a.create("/x", nil, 0)
		a.post(5, "/x", []byte("1"), -1)
		a.post(2, "/x", -1)
		a.get("/x", false)
		b.want("v=1")
		if strings.Contains(strings.Join(b.lines, "\n"), "instead of") {
			t.Errorf("a dropped reply came: %q", b.lines)
		}
	})
}

func TestAnInjectedFailureIsRefusedByTheLeader(t *testing.T) {
	for _, servers := range []int{1, 3} {
		inBubble(t, zktest.Config{Servers: servers}, func(t *testing.T, b *bench) {
			r := b.e.On(zktest.Match{Op: zktest.OpMulti, Path: "/x"}, zktest.Fail(-7))
			b.e.On(zktest.Match{Op: zktest.OpExists, Nth: 1}, zktest.Fail(zktest.CodeNoAuth))
			a := b.on("a", 1)
			a.create("/x", nil, 0)
			a.transact(mkCheck("/x", -1))
			b.want("zxid=z+1 err=-7")
			a.transact(mkCheck("/", -1))
			b.want("zxid=z+2 err=0")
			a.transact(mkCheck("/", -1), mkCheck("/x", -1)) // any of its operations counts
			b.want("zxid=z+3 err=-7")
			a.exists("/x", false)
			b.want("err=-102")
			a.exists("/x", false)
			b.want("err=0")
			r.Remove()
			a.transact(mkCheck("/x", -1))
			b.want("zxid=z+4 err=0")
		})
	}
}

func TestALostConnectReplyLeavesASessionNobodyKnows(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3}, func(t *testing.T, b *bench) {
		b.e.On(zktest.Match{Op: zktest.OpConnect, Nth: 1}, zktest.LoseReply)
		b.connect("a", 1).hello("loses the reply", 0, 1000, 0, make([]byte, 16), false)
		b.want("connection closed")
		if n := len(b.e.Sessions()); n != 1 {
			t.Fatalf("%d sessions, want the lost one", n)
		}
		d := eventually(t, "expiry", time.Minute, func() bool { return len(b.e.Sessions()) == 0 })
		if d < 900*time.Millisecond || d > 1300*time.Millisecond {
			t.Errorf("the lost session went after %v", d)
		}
	})
}

func TestAHeldHostSeesNothingUntilHealed(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		h := b.e.Host("a")
		h.Hold(zktest.ToClient)
		a.post(1, "/x", []byte{}, open, 0)
		if got := paths(b.e.Nodes()); got != "/x" {
			t.Errorf("requests should pass: znodes %q", got)
		}
		h.Hold(zktest.ToServer)
		a.post(1, "/y", []byte{}, open, 0)
		if got := paths(b.e.Nodes()); got != "/x" {
			t.Errorf("requests should wait: znodes %q", got)
		}
		go func() {
			<-time.After(time.Second)
			h.Heal()
		}()
		start := time.Now()
		a.await(1, 1, "first create")
		a.await(2, 1, "second create")
		b.want("err=0")
		if d := time.Since(start); d != time.Second {
			t.Errorf("the replies came after %v, want 1s", d)
		}
	})
}

func TestAHeldHostCanNotDial(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		h := b.e.Host("a")
		h.Hold(zktest.ToServer)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := h.Dial(ctx, "tcp", b.e.Addrs()[0]); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v, want a timeout", err)
		}
		go func() {
			<-time.After(time.Second)
			h.Heal()
		}()
		start := time.Now()
		b.on("a", 1)
		if d := time.Since(start); d != time.Second {
			t.Errorf("the dial took %v, want 1s", d)
		}
	})
}

func TestACloseIsNotSeenThroughAHeldNetwork(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		a.get("/", true)
		b.e.Host("a").Hold(zktest.ToServer)
		a.conn.Close()
		if n := len(b.e.Watches()); n != 1 {
			t.Errorf("%d watches, want the one of the connection that seems open", n)
		}
		b.e.Host("a").Heal()
		if n := len(b.e.Watches()); n != 0 {
			t.Errorf("%d watches left", n)
		}
		if n := len(b.e.Conns()); n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

// No client sees a stream with a hole in it.
func TestAConnectionThatHasLostFramesBreaksWhenItHeals(t *testing.T) {
	for name, lossy := range map[string]func(b *bench, k *zktest.Conn) (heal func()){
		"requests of a connection": func(_ *bench, k *zktest.Conn) func() { k.Drop(zktest.ToServer); return k.Heal },
		"replies of a connection":  func(_ *bench, k *zktest.Conn) func() { k.Drop(zktest.ToClient); return k.Heal },
		"requests of a host":       func(b *bench, _ *zktest.Conn) func() { h := b.e.Host("a"); h.Drop(zktest.ToServer); return h.Heal },
		"replies of a host":        func(b *bench, _ *zktest.Conn) func() { h := b.e.Host("a"); h.Drop(zktest.ToClient); return h.Heal },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
				a, other := b.on("a", 1), b.on("b", 1)
				k := b.e.ConnOf(a.session)
				heal := lossy(b, k)
				lost := a.post(1, "/x", []byte{}, open, 0)
				k.Delay(0) // another fault that ends changes nothing
				if b.e.ConnOf(a.session) == nil {
					t.Error("the connection broke before it healed")
				}
				heal()
				a.await(lost, 1, "what was lost")
				b.want("connection closed")
				if b.e.ConnOf(a.session) != nil {
					t.Error("the server goes on with the connection")
				}
				b.back(a, 1).create("/y", nil, 0)
				b.want("err=0")
				other.exists("/y", false)
				b.want("err=0")
			})
		})
	}
}

func TestAConnectionThatHasLostNothingGoesOnWhenItHeals(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		b.e.Host("a").Drop()
		b.e.Host("a").Heal()
		a.create("/x", nil, 0)
		b.want("err=0")
	})
}

// One fault may end while another goes on: what is dropped stays dropped.
func TestALossyConnectionIsBrokenOnlyWhenNothingIsDroppedAnyMore(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		k := b.e.ConnOf(a.session)
		k.Drop()
		b.e.Host("a").Drop()
		lost := a.post(1, "/x", []byte{}, open, 0)
		k.Heal()
		if b.e.ConnOf(a.session) == nil {
			t.Error("the connection broke behind a network that drops everything")
		}
		b.e.Host("a").Heal()
		a.await(lost, 1, "what was lost")
		b.want("connection closed")
	})
}

func TestADelayedConnectionKeepsItsOrder(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		k := b.e.ConnOf(a.session)
		k.Delay(300*time.Millisecond, zktest.ToServer)
		k.Delay(100*time.Millisecond, zktest.ToClient)
		start := time.Now()
		first := a.post(1, "/x", []byte{}, open, 0)
		k.Delay(0, zktest.ToServer)
		second := a.post(2, "/x", -1)
		a.await(first, 1, "create")
		a.await(second, 2, "delete")
		b.want("err=0")
		if d := time.Since(start); d < 400*time.Millisecond || d > 401*time.Millisecond {
			t.Errorf("the replies came after %v, want 400ms", d)
		}
	})
}

func TestACutConnectionEndsAtBothEnds(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a, c := b.on("a", 1), b.on("c", 1)
		b.e.Host("a").Cut()
		a.expectClosed("cut")
		c.settle()
		b.want("err=0")
		if n := len(b.e.Conns()); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		k := b.e.ConnOf(c.session)
		if k.Host() != "c" || k.Server() != 1 {
			t.Errorf("connection of host %q at server %d", k.Host(), k.Server())
		}
		k.Cut()
		c.expectClosed("cut")
		if b.e.ConnOf(c.session) != nil {
			t.Error("the connection is still there")
		}
	})
}

func TestAnExpiredSessionLosesItsEphemerals(t *testing.T) {
	for _, servers := range []int{1, 3} {
		inBubble(t, zktest.Config{Servers: servers}, func(t *testing.T, b *bench) {
			a, w := b.on("a", 1), b.on("w", 1)
			a.create("/a", nil, 0)
			a.create("/a/e1", nil, 1)
			a.create("/a/e2", nil, 1)
			w.children("/a", true)
			w.get("/a/e1", true)
			before := b.e.Counts().Commits
			b.e.ExpireSession(a.session)
			a.expectClosed("expired")
			w.settle()
			if got := paths(b.e.Nodes()); got != "/a" {
				t.Errorf("znodes %s", got)
			}
			if n := b.e.Counts().Commits - before; n != 1 {
				t.Errorf("the end of the session took %d transactions, want 1", n)
			}
			b.back(a, 1)
			b.want("session=none")
		})
	}
}

// Znodes that belong to no session are of session 0, so to speak.
func TestOnlyASessionThatExistsCanBeExpired(t *testing.T) {
	for _, servers := range []int{1, 3} {
		inBubble(t, zktest.Config{Servers: servers}, func(t *testing.T, b *bench) {
			a, gone := b.on("a", 1), b.on("gone", 1)
			a.create("/kept", nil, 0)
			a.create("/kept/e", nil, 1)
			b.e.ExpireSession(gone.session)
			gone.expectClosed("expired")
			a.settle()
			before := b.e.Counts().Commits
			for _, id := range []int64{0, 1, gone.session, -1} {
				b.e.ExpireSession(id)
			}
			a.settle()
			if n := b.e.Counts().Commits - before; n != 0 {
				t.Errorf("%d transactions for sessions that do not exist", n)
			}
			for _, s := range b.e.Servers() {
				if got := paths(s.Nodes()); got != "/kept /kept/e" {
					t.Errorf("server %d: znodes %s", s.ID(), got)
				}
			}
		})
	}
}

// The numbers are what a real 3.8.0 server did with a znode whose count a patched snapshot had
// brought to the end.
func TestSequenceNumbersStickAtTheEndOfTheirRange(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		a.create("/q", nil, 0)
		b.e.StartSequence("/q", 2147483646)
		a.create("/q/a-", nil, 2)
		b.want(`path="/q/a-2147483646"`)
		a.create("/q/a-", nil, 2)
		b.want(`path="/q/a-2147483647"`)
		a.children2("/q", false)
		b.want("p=z+1")
		a.create("/q/a-", nil, 2)
		b.want("err=-110")
		a.create("/q/b-", nil, 2)
		b.want(`path="/q/b-2147483647"`)
		a.transact(mkCreate("/q/c-", 2), mkCreate("/q/c-", 2), mkCreate("/q/c-", 2))
		b.want("path=/q/c-2147483647; op=1 err=0 path=/q/c--2147483648; op=1 err=0 path=/q/c--2147483647")
		a.create("/q/d-", nil, 2)
		b.want(`path="/q/d-2147483647"`)
	})
}

func TestSequenceNumbersWrapOnOldServers(t *testing.T) {
	inBubble(t, zktest.Config{SequenceWraps: true}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		a.create("/q", nil, 0)
		b.e.StartSequence("/q", 2147483646)
		for _, want := range []string{"2147483646", "2147483647", "-2147483648", "-2147483647"} {
			a.create("/q/a-", nil, 2)
			b.want(`path="/q/a-` + want + `"`)
		}
	})
}

func TestFaultsAreLogged(t *testing.T) {
	var log []string
	cfg := zktest.Config{Servers: 3, Logf: func(format string, args ...any) { log = append(log, format) }}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		b.e.On(zktest.Match{Op: zktest.OpPing}, zktest.DropReply)
		s, h, k := b.e.Server(2), b.e.Host("a"), b.e.ConnOf(a.session)
		link := b.e.Link(s, b.e.Server(1))
		for i, fault := range []func(){
			func() { h.Hold() }, func() { h.Drop() }, func() { h.Delay(1) }, func() { h.Heal() },
			func() { k.Hold() }, func() { k.Drop() }, func() { k.Delay(1) }, func() { k.Heal() },
			func() { a.send(pack(-2, 11)) },
			func() { k.Cut() }, func() { h.Cut() }, func() { b.e.ExpireSession(a.session) },
			func() { b.e.StartSequence("/", 1) }, func() { b.e.SetVersion("/", 1) }, func() { s.Freeze() }, func() { s.Thaw() },
			func() { s.Slow(1) }, func() { s.DelayPings(1) }, func() { s.StopPings() }, func() { s.ResumePings() },
			func() { s.HoldRequests() }, func() { s.ReleaseRequests() },
			func() { s.DelayExpiry(1) }, func() { s.StepClock(1) }, func() { b.e.SetLatency(0, 0) }, func() { s.SetSessionLimits(1, 2) },
			func() { s.SetRelease(zktest.Release380) },
			func() { link.Hold() }, func() { link.Delay(1) }, func() { link.Lose(zktest.PacketAck) },
			func() { link.Heal() }, func() { s.Isolate() }, func() { s.Rejoin() },
			func() { s.Kill() }, func() { _ = s.Start() },
		} {
			log = nil
			fault()
			if !strings.Contains(strings.Join(log, "\n"), "fault: ") {
				t.Errorf("fault %d said nothing", i)
			}
		}
	})
}
