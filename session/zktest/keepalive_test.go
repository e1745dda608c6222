package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestANewLeaderGivesEverySessionItsFullTimeout(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a := b.timed("a", b.follower(), 10000)
		b.e.Host("a").Hold()
		<-time.After(8 * time.Second)
		b.e.Leader().Kill()
		eventually(t, "a new leader", 5*time.Second, func() bool { return b.e.Leader() != nil })
		d := eventually(t, "expiry", time.Minute, func() bool { return len(b.e.Sessions()) == 0 })
		if d < 10*time.Second || d > 12100*time.Millisecond {
			t.Errorf("the session of %s went %v after the election, want 10s to 12s", a.name, d)
		}
	})
}

func TestAWriteAtACutOffFollowerHoldsUpItsSession(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a, other := b.on("a", f), b.on("other", f)
		b.e.Server(f).Isolate()
		a.post(1, "/x", []byte{}, open, 0)
		a.send(pack(-2, 11))
		other.settle()
		b.want("err=0")
		b.e.Server(f).Rejoin()
		a.await(1, 1, "the create")
		b.want("err=0")
		a.await(-2, 11, "the ping behind it")
		b.want("err=0")
	})
}

func TestOnlyPingRepliesKeepAFollowersSessionAlive(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 10000)
		a.create("/e", nil, 1)
		b.e.Link(b.e.Server(f), b.e.Leader()).Lose(zktest.PacketPingReply)
		start := time.Now()
		for a.transact(mkCheck("/e", -1)); len(b.e.Sessions()) > 0; a.transact(mkCheck("/e", -1)) {
			if time.Since(start) > 13*time.Second {
				t.Fatal("writes have kept the session alive")
			}
			<-time.After(500 * time.Millisecond)
		}
		if d := time.Since(start); d < 9*time.Second {
			t.Errorf("the session went after %v, before its timeout", d)
		}
	})
}

func TestALeadersOwnClientIsKeptAliveByEveryRequest(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a := b.timed("a", b.leader(), 4000)
		a.create("/e", nil, 1)
		for range 20 {
			<-time.After(3 * time.Second)
			a.transact(mkCheck("/e", -1))
			b.want("err=0 [op=13 err=0]")
		}
		d := eventually(t, "expiry", time.Minute, func() bool { return len(b.e.Sessions()) == 0 })
		if d < 4*time.Second || d > 6100*time.Millisecond {
			t.Errorf("the silent session went after %v, want 4s to 6s", d)
		}
	})
}

func TestAOneWayCutFromTheLeaderStopsCommitsNotTouches(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.on("a", f)
		down := b.e.Link(b.e.Leader(), b.e.Server(f))
		down.Hold()
		a.post(1, "/x", []byte{}, open, 0)
		if got := paths(b.e.Nodes()); got != "/x" {
			t.Errorf("the leader has %q, want the create", got)
		}
		if got := paths(b.e.Server(f).Nodes()); got != "" {
			t.Errorf("the follower has %q, want nothing yet", got)
		}
		down.Heal()
		a.await(1, 1, "the create")
		b.want("err=0")
	})
}

func TestTheShortestGrantWins(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.e.Followers()
		f[1].SetSessionLimits(4*time.Second, 6*time.Second)
		a := b.timed("a", f[0].ID(), 20000)
		b.want("timeout=20000")
		<-time.After(2 * time.Second) // every follower has told of the new session
		a = b.back(a, f[1].ID())
		b.want("timeout=6000")
		b.e.Host("a").Hold()
		d := eventually(t, "expiry", time.Minute, func() bool { return len(b.e.Sessions()) == 0 })
		if d > 10*time.Second {
			t.Errorf("the session lived %v on a grant of 6s", d)
		}
		_ = a
	})
}

func TestLatePingLoopsDelayTouches(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		b.e.Leader().DelayPings(5 * time.Second)
		a := b.timed("a", f, 4000)
		stop := a.keepAlive(time.Second)
		eventually(t, "expiry for want of pings", time.Minute, func() bool { return len(b.e.Sessions()) == 0 })
		stop()
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		silent := b.connect("silent", 1)
		start := time.Now()
		silent.expectClosed("never said a word")
		if d := time.Since(start); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("closed after %v, want 10s to 20s", d)
		}
	})
}
