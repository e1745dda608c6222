package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// sessionOf is what the leader has of a client's session; its ID is 0 when it is gone.
func (b *bench) sessionOf(c *raw) zktest.Session {
	for _, s := range b.e.Sessions() {
		if s.ID == c.session {
			return s
		}
	}
	return zktest.Session{}
}

// ends is when the session ends unless the leader hears of it.
func (b *bench) ends(c *raw) time.Time { return time.Now().Add(b.sessionOf(c).Expires) }

// taken holds the client's network until its session's bucket has been taken, and heals it.
func (b *bench) taken(t *testing.T, c *raw) {
	t.Helper()
	b.e.Host(c.name).Hold()
	eventually(t, "the bucket is taken", time.Minute, func() bool { return b.sessionOf(c).Taken })
	b.e.Host(c.name).Heal()
}

// As in real servers from 3.5.0 on. The client is told that its session is valid, it writes, it is
// heard of. The session ends all the same.
func TestATakenSessionSeemsToLiveAndIsClosedAllTheSame(t *testing.T) {
	for _, where := range []func(*bench) int{(*bench).leader, (*bench).follower} {
		inBubble(t, three, func(t *testing.T, b *bench) {
			server := where(b)
			b.e.Leader().DelayExpiry(time.Minute)
			a := b.on("a", server)
			a.create("/e", nil, 1)
			b.taken(t, a)
			taken := time.Now()
			a = b.back(a, server)
			b.want("session=s1")
			stop := a.keepAlive(time.Second)
			before := b.ends(a)
			eventually(t, "the leader has heard of it", 10*time.Second, func() bool { return b.ends(a).After(before) })
			stop()
			a.transact(mkCheck("/e", -1))
			b.want("err=0 [op=13 err=0]")
			stop = a.keepAlive(time.Second)
			eventually(t, "its end", 2*time.Minute, func() bool { return b.sessionOf(a).ID == 0 })
			stop()
			if d := time.Since(taken); d < 59*time.Second || d > 61*time.Second {
				t.Errorf("closed %v after its bucket was taken, want a minute", d)
			}
			if got := paths(b.e.Nodes()); got != "" {
				t.Errorf("znodes %s are left", got)
			}
			b.back(a, server)
			b.want("session=none")
		})
	}
}

func TestTheSessionsOfABucketAreClosedOneAfterTheOther(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		b.e.Leader().DelayExpiry(10 * time.Second)
		var together []*raw
		for _, name := range []string{"a", "b", "c"} {
			together = append(together, b.timed(name, b.leader(), 4000))
		}
		later := b.timed("later", b.leader(), 6000)
		b.taken(t, together[0])
		for _, c := range together[1:] {
			if !b.sessionOf(c).Taken {
				t.Fatalf("the session of %s is not in the same bucket", c.name)
			}
		}
		for i, c := range together {
			d := eventually(t, "its turn", time.Minute, func() bool { return b.sessionOf(c).ID == 0 })
			if d < 9900*time.Millisecond || d > 10100*time.Millisecond {
				t.Errorf("the session of %s was closed %v after the one before it, want 10s", c.name, d)
			}
			if s := b.sessionOf(later); i < 2 && (s.ID == 0 || s.Taken) {
				t.Error("a later bucket has been taken before this one was done")
			}
		}
		if !b.sessionOf(later).Taken {
			t.Error("the later bucket is still not taken")
		}
	})
}

// Only what has been taken is lost: the thread has not come to the later bucket.
func TestWhoIsHeardBeforeItsBucketIsTakenLives(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		b.e.Leader().DelayExpiry(10 * time.Second)
		first, second := b.timed("first", b.leader(), 4000), b.timed("second", b.leader(), 6000)
		b.taken(t, first)
		<-time.After(5 * time.Second)
		if s := b.sessionOf(second); s.Taken || s.Expires > 0 {
			t.Fatalf("%+v, want one whose time is over, not taken", s)
		}
		second.settle()
		eventually(t, "the first one's end", time.Minute, func() bool { return b.sessionOf(first).ID == 0 })
		second.settle()
		b.want("err=0")
		if b.sessionOf(second).Taken {
			t.Error("it has been taken although it was heard of")
		}
	})
}

func TestWhatHasBeenTakenIsClosedAtOnceWhenTheDelayEnds(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		l := b.e.Leader()
		l.DelayExpiry(time.Hour)
		a, c := b.on("a", l.ID()), b.on("c", l.ID())
		b.taken(t, a)
		l.DelayExpiry(0)
		if n := len(b.e.Sessions()); n != 0 {
			t.Errorf("%d sessions of %s and %s are left", n, a.name, c.name)
		}
		d := b.on("d", l.ID()) // and from then on everything is as usual
		if d := eventually(t, "expiry", time.Minute, func() bool { return b.sessionOf(d).ID == 0 }); d > 6100*time.Millisecond {
			t.Errorf("a session of 4s went after %v", d)
		}
	})
}

// A leader closes the sessions that it has taken only as long as it leads. The next leader gives
// every session its full timeout.
func TestANewLeaderClosesNothingThatTheOldOneHasTaken(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		l := b.e.Leader()
		l.DelayExpiry(5 * time.Second)
		f := b.follower()
		a := b.on("a", f)
		b.taken(t, a)
		l.Kill()
		eventually(t, "a new leader", 5*time.Second, func() bool { return b.e.Leader() != nil })
		a = b.back(a, b.leader())
		b.want("session=s1")
		stop := a.keepAlive(time.Second)
		<-time.After(20 * time.Second)
		stop()
		if s := b.sessionOf(a); s.ID == 0 || s.Taken {
			t.Errorf("the session is %+v", s)
		}
	})
}

func TestAClockThatStepsForwardExpiresSessionsEarly(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		l := b.leader()
		a := b.timed("a", l, 20000)
		<-time.After(2 * time.Second) // every follower has told of the new session
		b.e.Server(l).StepClock(5 * time.Second)
		b.e.Server(l).StepClock(10 * time.Second)
		d := eventually(t, "expiry", time.Minute, func() bool { return b.sessionOf(a).ID == 0 })
		if d < 2900*time.Millisecond || d > 6100*time.Millisecond {
			t.Errorf("a session of 20s expired after %v, want 3s to 6s", d)
		}
		c := b.timed("c", l, 20000) // counted from the new time on
		d = eventually(t, "expiry", time.Minute, func() bool { return b.sessionOf(c).ID == 0 })
		if d < 20*time.Second || d > 22100*time.Millisecond {
			t.Errorf("a session made afterwards expired after %v, want 20s to 22s", d)
		}
	})
}

func TestAClockThatIsSetBackExpiresSessionsLate(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		l := b.leader()
		a := b.timed("a", l, 20000)
		<-time.After(2 * time.Second) // every follower has told of the new session
		b.e.Server(l).StepClock(-15 * time.Second)
		d := eventually(t, "expiry", 2*time.Minute, func() bool { return b.sessionOf(a).ID == 0 })
		if d < 32900*time.Millisecond || d > 36100*time.Millisecond {
			t.Errorf("a session of 20s expired after %v, want 33s to 36s", d)
		}
	})
}

// The leader's clock counts. After a change of leaders, the clock of the next one counts.
func TestEachServerHasItsOwnClock(t *testing.T) {
	for _, step := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		inBubble(t, three, func(t *testing.T, b *bench) {
			a := b.timed("a", b.leader(), 20000)
			for _, f := range b.e.Followers() {
				f.StepClock(step)
			}
			stop := a.keepAlive(3 * time.Second)
			<-time.After(time.Minute)
			stop()
			a.create("/before", nil, 0)
			b.e.Leader().Kill()
			eventually(t, "a new leader", 5*time.Second, func() bool { return b.e.Leader() != nil })
			a = b.back(a, b.leader())
			b.want("session=s1")
			a.create("/now", nil, 0)
			nodes := b.e.Nodes() // /before, /now
			d := time.Duration(nodes[1].Stat.Ctime-nodes[0].Stat.Ctime) * time.Millisecond
			if d -= step; d < 0 || d > 5*time.Second {
				t.Errorf("the new leader's transactions are %v too late", d)
			}
			if left := b.sessionOf(a).Expires; left < 20*time.Second || left > 22*time.Second {
				t.Errorf("expires in %v, want 20s to 22s", left)
			}
			d = eventually(t, "expiry", time.Minute, func() bool { return b.sessionOf(a).ID == 0 })
			if d < 19*time.Second || d > 22100*time.Millisecond {
				t.Errorf("expired after %v, want 20s to 22s", d)
			}
		})
	}
}
