package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Commits keep the servers together; nothing tells the leader of a follower's clients.
func TestStoppedPingsEndTheSessionsOfFollowersAlone(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		leader, followers := b.e.Leader(), b.e.Followers()
		near, far := b.timed("near", leader.ID(), 10000), b.timed("far", followers[0].ID(), 10000)
		near.create("/near", nil, 1)
		far.create("/far", nil, 1)
		leader.StopPings()
		start := time.Now()
		for range 60 { // SyncLimit is 10 s
			near.transact(mkCheck("/near", -1))
			b.want("err=0 [op=13 err=0]")
			if b.sessionOf(far).ID != 0 {
				far.transact(mkCheck("/far", -1))
			}
			<-time.After(500 * time.Millisecond)
		}
		if got := paths(b.e.Nodes()); got != "/near" {
			t.Errorf("%v after the pings stopped there is %q, want /near alone", time.Since(start), got)
		}
		if b.e.Leader() == nil || b.e.Leader().ID() != leader.ID() || len(b.e.Followers()) != 2 {
			t.Errorf("the servers have parted")
		}
		leader.ResumePings()
		again := b.timed("again", followers[0].ID(), 4000)
		stop := again.keepAlive(time.Second)
		<-time.After(30 * time.Second)
		stop()
		if b.sessionOf(again).ID == 0 || len(b.e.Followers()) != 2 {
			t.Error("the pings do not come again")
		}
	})
}

// Without commits nothing is heard of the leader, and the others choose a new one. The old one
// notices when its ping loop runs again, and answers its clients until then.
func TestFollowersLeaveAnIdleLeaderThatSendsNoPings(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		old := b.leader()
		a := b.timed("a", old, 4000)
		b.e.Server(old).StopPings()
		stop := a.keepAlive(time.Second)
		d := eventually(t, "a new leader", time.Minute, func() bool { return b.e.Leader() != nil && b.leader() != old })
		if d < 9*time.Second || d > 15*time.Second {
			t.Errorf("a new leader after %v, want SyncLimit, 10s, and an election", d)
		}
		<-time.After(10 * time.Second)
		stop()
		a.exists("/", false)
		b.want("err=0")
		b.e.Server(old).ResumePings()
		a.expectClosed("its server steps down")
		eventually(t, "the old leader follows", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
	})
}

// Two threads of a real leader look after a follower: the one that reads what it sends, and the
// ping loop, which gives it up if it has not acknowledged something for too long.
func TestALeaderWithoutPingsDropsWhoIsSilentOnly(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		leader, follower := b.e.Leader(), b.e.Followers()[0]
		link := b.e.Link(follower, leader)
		a := b.timed("a", follower.ID(), 20000)
		write := func(seconds int) {
			for range seconds {
				a.post(1, "/x-", []byte{}, open, 2)
				<-time.After(time.Second)
			}
		}
		leader.StopPings()
		link.Lose(zktest.PacketAck)
		write(15) // SyncLimit is 10 s
		if b.e.ConnOf(a.session) == nil {
			t.Error("the follower has left, although it was heard from")
		}
		link.Heal()
		link.Hold()
		other := b.timed("other", leader.ID(), 20000)
		eventually(t, "a silent follower is dropped", 15*time.Second, func() bool {
			other.create("/y-", nil, 2) // which the silent one hears of
			return len(b.e.Followers()) == 1
		})
		link.Heal()
		leader.ResumePings()
		eventually(t, "it comes back", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
		link.Lose(zktest.PacketAck)
		a = b.timed("again", follower.ID(), 20000)
		a.create("/z", nil, 0)
		eventually(t, "with pings, one that acknowledges nothing is dropped", 15*time.Second, func() bool { return len(b.e.Followers()) == 1 })
	})
}
