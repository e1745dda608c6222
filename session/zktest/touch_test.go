package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A request is answered, late, and the ZooKeeper leader never hears of it.
func TestALostTouchIsAnsweredButNotTold(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 20000)
		a.create("/e", nil, 1)
		<-time.After(5 * time.Second) // the leader has heard of that by now
		start, ends := time.Now(), b.ends(a)
		rule := b.e.On(zktest.Match{Session: a.session, Nth: 1}, zktest.LoseTouch)
		a.transact(mkCheck("/e", -1))
		b.want("err=0 [op=13 err=0]")
		if d := time.Since(start); d > time.Second || rule.Hits() != 1 {
			t.Errorf("%d touches lost, answered after %v; want one, and half a tick at most", rule.Hits(), d)
		}
		<-time.After(3 * time.Second)
		if now := b.ends(a); !now.Equal(ends) {
			t.Errorf("the session ends %v later than before: it was heard of", now.Sub(ends))
		}
		a.settle() // the next touch counts
		<-time.After(3 * time.Second)
		if now := b.sessionOf(a).Expires; now < 16*time.Second {
			t.Errorf("after the next touch the session expires in %v", now)
		}
	})
}

// One thread touches the sessions of all clients, and nobody's requests change places.
func TestRequestsBehindALostTouchWaitAndCount(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a, other := b.timed("a", f, 20000), b.timed("other", f, 20000)
		gone := b.timed("gone", f, 20000)
		<-time.After(5 * time.Second)
		rule := b.e.On(zktest.Match{Host: "a", Nth: 1}, zktest.LoseTouch)
		first := a.post(1, "/x", []byte{}, open, 0)
		<-rule.Fired()
		if b.sessionOf(a).Expires > b.sessionOf(other).Expires {
			t.Fatal("the sessions should be in step")
		}
		second := a.post(5, "/x", []byte("1"), -1)
		third := other.post(4, "/", false)
		gone.post(1, "/gone", []byte{}, open, 0)
		b.e.Host("gone").Cut() // its request goes on all the same
		other.await(third, 4, "get")
		b.want("err=0")
		a.await(first, 1, "create")
		b.want("err=0")
		a.await(second, 5, "set")
		b.want("v=1")
		if got := paths(b.e.Nodes()); got != "/gone /x" {
			t.Errorf("znodes %s", got)
		}
		<-time.After(3 * time.Second)
		for _, c := range []*raw{a, other} {
			if now := b.sessionOf(c).Expires; now < 16*time.Second {
				t.Errorf("the session of %s expires in %v: what waited was lost, too", c.name, now)
			}
		}
	})
}

// One touch for each ping, as long as the rule stays: the session ends though its client writes.
func TestASessionWhoseTouchesAreAllLostExpires(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 10000)
		a.create("/e", nil, 1)
		b.e.On(zktest.Match{Host: "a"}, zktest.LoseTouch)
		start := time.Now()
		for b.sessionOf(a).ID != 0 {
			if time.Since(start) > 14*time.Second {
				t.Fatal("the session lives on")
			}
			a.transact(mkCheck("/e", -1))
			<-time.After(100 * time.Millisecond)
		}
		if d := time.Since(start); d < 8*time.Second {
			t.Errorf("the session went after %v, before its timeout", d)
		}
	})
}

func TestALeaderLosesNoTouch(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a := b.timed("a", b.leader(), 4000)
		b.e.On(zktest.Match{Host: "a"}, zktest.LoseTouch)
		stop := a.keepAlive(time.Second)
		<-time.After(20 * time.Second)
		stop()
		if b.sessionOf(a).ID == 0 {
			t.Error("the session has expired")
		}
	})
}

func TestAStalledRequestIsForgottenWithItsServer(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 20000)
		b.e.Leader().StopPings()
		rule := b.e.On(zktest.Match{Host: "a", Nth: 1}, zktest.LoseTouch)
		before := b.e.Counts().Commits
		lost := a.post(1, "/x", []byte{}, open, 0)
		<-rule.Fired()
		b.e.Server(f).Kill()
		a.await(lost, 1, "the create")
		b.want("connection closed")
		b.e.Leader().ResumePings()
		if err := b.e.Server(f).Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server is back", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
		<-time.After(5 * time.Second)
		if n := b.e.Counts().Commits - before; n != 0 {
			t.Errorf("%d transactions, want none", n)
		}
	})
}
