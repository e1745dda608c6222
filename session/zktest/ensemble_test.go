package zktest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// three is an ensemble with the tick of production servers.
var three = zktest.Config{Servers: 3, Tick: 2 * time.Second}

// follower returns a follower's id; the leader's is leader().
func (b *bench) follower() int { return b.e.Followers()[0].ID() }
func (b *bench) leader() int   { return b.e.Leader().ID() }

func TestALeadersDeathHandsItsWorkOn(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f, old := b.follower(), b.leader()
		a := b.timed("a", f, 10000)
		a.create("/x", nil, 1)
		a.get("/x", true)
		b.e.Server(old).Kill()
		a.expectClosed("its server has lost the leader")
		if b.e.Leader() != nil {
			t.Error("there is a leader already")
		}
		eventually(t, "a new leader", 5*time.Second, func() bool { return b.e.Leader() != nil })
		if b.leader() == old {
			t.Error("the dead server leads")
		}
		a = b.back(a, f)
		a.get("/x", false)
		b.want("owner=s1")
		a.create("/y", nil, 0)
		if z := b.e.Leader().Zxid() >> 32; z != 2 {
			t.Errorf("epoch %d, want 2", z)
		}
		if err := b.e.Server(old).Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the old leader follows", 5*time.Second, func() bool { return len(b.e.Followers()) == 2 })
		if got := paths(b.e.Server(old).Nodes()); got != "/x /y" {
			t.Errorf("the old leader has %s", got)
		}
	})
}

// Leases exist because of this window: a client at a follower that is cut off still gets answers
// after the others have given it up.
func TestAFollowerCutOffServesReadsUntilItsLimit(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 4000)
		a.create("/e", nil, 1)
		cut := time.Now()
		b.e.Server(f).Isolate()
		for time.Since(cut) < 9900*time.Millisecond {
			a.exists("/e", false)
			b.want("err=0")
			a.settle()
			b.want("err=0")
			<-time.After(200 * time.Millisecond)
		}
		if got := paths(b.e.Nodes()); got != "" {
			t.Errorf("the quorum still has %s", got)
		}
		if n := len(b.e.Sessions()); n != 0 {
			t.Errorf("%d sessions at the leader", n)
		}
		a.expectClosed("the follower gives up")
		if d := time.Since(cut); d < 9*time.Second || d > 10100*time.Millisecond {
			t.Errorf("the follower gave up after %v, want its limit of 5 ticks", d)
		}
		b.e.Server(f).Rejoin()
		eventually(t, "rejoin", 5*time.Second, func() bool { return len(b.e.Followers()) == 2 })
		b.back(a, f)
		b.want("session=none")
	})
}

func TestAnIsolatedLeaderStepsDown(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		old := b.leader()
		a := b.timed("a", old, 10000)
		cut := time.Now()
		b.e.Server(old).Isolate()
		a.post(1, "/lost", []byte{}, open, 0)
		a.expectClosed("the leader has too few followers")
		if d := time.Since(cut); d < 9*time.Second || d > 13*time.Second {
			t.Errorf("it stepped down after %v, want about 5 ticks", d)
		}
		eventually(t, "a new leader", 20*time.Second, func() bool {
			l := b.e.Leader()
			return l != nil && l.ID() != old
		})
		a = b.back(a, b.leader())
		a.exists("/lost", false)
		b.want("err=-101")
		a.create("/kept", nil, 0)
		b.e.Server(old).Rejoin()
		eventually(t, "rejoin", 20*time.Second, func() bool { return len(b.e.Followers()) == 2 })
		if got := paths(b.e.Server(old).Nodes()); got != "/kept" {
			t.Errorf("the old leader has %s; its tail was to be cut off", got)
		}
	})
}

func TestAnUncommittedTailSurvivesWhereAVoterHasIt(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		old, f := b.leader(), b.follower()
		a := b.on("a", old)
		var reported int
		for _, s := range b.e.Followers() {
			b.e.Link(s, b.e.Server(old)).Lose(zktest.PacketAck)
		}
		a.post(1, "/tail", []byte{}, open, 0)
		if got := paths(b.e.Nodes()); got != "" {
			t.Errorf("applied without acknowledgements: %s", got)
		}
		reported = int(b.e.Counts().Commits)
		b.e.Server(old).Kill()
		eventually(t, "a new leader", 5*time.Second, func() bool { return b.e.Leader() != nil })
		if got := paths(b.e.Server(f).Nodes()); got != "/tail" {
			t.Errorf("the followers had logged it, but have %q", got)
		}
		if n := int(b.e.Counts().Commits) - reported; n != 1 {
			t.Errorf("%d commits reported, want the one that survived", n)
		}
	})
}

func TestAFrozenLeaderIsReplacedAndStepsDown(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		old := b.leader()
		a := b.timed("a", old, 20000) // longer than the freeze: its own tracker keeps it
		a.create("/e", nil, 1)
		b.e.Server(old).Freeze()
		eventually(t, "a new leader", time.Minute, func() bool {
			l := b.e.Leader()
			return l != nil && l.ID() != old
		})
		b.e.ExpireSession(a.session)
		// Thawed, the old leader first answers what has waited.
		xid := a.post(3, "/e", false)
		b.e.Server(old).Thaw()
		a.await(xid, 3, "exists at the old leader")
		b.want("err=0")
		a.expectClosed("the old leader notices")
		eventually(t, "rejoin", time.Minute, func() bool { return len(b.e.Followers()) == 2 })
		if got := paths(b.e.Server(old).Nodes()); got != "" {
			t.Errorf("the old leader has %s", got)
		}
	})
}

func TestAFrozenFollowerHoldsItsClients(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 10000)
		b.e.Server(f).Freeze()
		xid := a.post(3, "/", false)
		late := b.connect("late", f) // the kernel still accepts
		late.send(pack(0, int64(0), 4000, int64(0), make([]byte, 16), false))
		go func() {
			<-time.After(3 * time.Second)
			b.e.Server(f).Thaw()
		}()
		start := time.Now()
		a.await(xid, 3, "exists")
		b.want("err=0")
		late.welcome("opens a session")
		b.want("session=s")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("answered after %v, want 3s", d)
		}
	})
}

func TestASlowServerAnswersInOrder(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.on("a", f)
		b.e.Server(f).Slow(50 * time.Millisecond)
		start := time.Now()
		x := a.post(1, "/x", []byte{}, open, 0)
		y := a.post(3, "/x", false)
		a.await(x, 1, "create")
		a.await(y, 3, "exists")
		b.want("err=0")
		if d := time.Since(start); d < 100*time.Millisecond {
			t.Errorf("answered after %v, want two delays at least", d)
		}
	})
}

func TestReadsAtAFollowerMayBeOldUntilSync(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a, l := b.on("a", f), b.on("l", b.leader())
		b.e.Link(b.e.Leader(), b.e.Server(f)).Delay(time.Second)
		l.create("/new", nil, 0)
		a.exists("/new", false)
		b.want("err=-101")
		a.sync("/new")
		b.want("err=0")
		a.exists("/new", false)
		b.want("err=0")
	})
}

func TestAServerBehindRefusesAClientThatHasSeenMore(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		l := b.on("l", b.leader())
		b.e.Link(b.e.Leader(), b.e.Server(f)).Delay(time.Second)
		l.create("/new", nil, 0)
		seen := b.e.Leader().Zxid()
		b.connect("l", f).hello("comes back too early", seen, 4000, l.session, l.password, false)
		b.want("connection closed")
		<-time.After(time.Second)
		c := b.connect("l", f).hello("comes back", seen, 4000, l.session, l.password, false)
		b.want("session=s1")
		c.settle()
	})
}

func TestARestartOfAllServersKeepsSessionsAndZnodes(t *testing.T) {
	for _, servers := range []int{1, 3} {
		cfg := three
		cfg.Servers = servers
		inBubble(t, cfg, func(t *testing.T, b *bench) {
			a := b.timed("a", 1, 10000)
			a.create("/e", []byte("data"), 1)
			for _, s := range b.e.Servers() {
				s.Kill()
			}
			a.expectClosed("all servers are dead")
			if _, err := b.dialFrom("a", 1); err == nil {
				t.Error("a dead server takes connections")
			}
			<-time.After(time.Minute)
			for _, s := range b.e.Servers() {
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "a leader", 10*time.Second, func() bool { return b.e.Leader() != nil })
			a = b.back(a, b.leader())
			b.want("session=s1")
			a.get("/e", false)
			b.want(`data="data"`)
		})
	}
}

func TestAMinorityElectsNobody(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.e.Followers()
		f[0].Kill()
		f[1].Kill()
		eventually(t, "the leader steps down", time.Minute, func() bool { return b.e.Leader() == nil })
		<-time.After(time.Minute)
		if b.e.Leader() != nil {
			t.Error("one server of three leads")
		}
		b.connect("c", 3).hello("opens a session", 0, 4000, 0, make([]byte, 16), false)
		b.want("connection closed")
	})
}

func TestACandidateBehindDoesNotWin(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.e.Followers()
		f[1].Kill() // the one that would win a tie
		a := b.on("a", f[0].ID())
		a.create("/x", nil, 0)
		if err := f[1].Start(); err != nil {
			t.Fatal(err)
		}
		b.e.Link(b.e.Leader(), f[1]).Lose(zktest.PacketSnapshot)
		<-time.After(time.Second)
		b.e.Leader().Kill()
		eventually(t, "a new leader", time.Minute, func() bool { return b.e.Leader() != nil })
		if l := b.leader(); l != f[0].ID() {
			t.Errorf("server %d leads, want %d, which has more", l, f[0].ID())
		}
		if got := paths(b.e.Nodes()); got != "/x" {
			t.Errorf("znodes %q", got)
		}
	})
}

func TestCommitsAreReportedOnceInOrder(t *testing.T) {
	var commits []zktest.Commit
	cfg := three
	cfg.OnCommit = func(c zktest.Commit) { commits = append(commits, c) }
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		a := b.on("a", b.leader())
		a.create("/a", nil, 0)
		a.create("/a", nil, 0)
		a.transact(mkCreate("/a/b", 1), mkSet("/a", -1))
		a.transact(mkCreate("/a/c", 1), mkCheck("/no", -1))
		b.e.Leader().Kill()
		eventually(t, "a new leader", time.Minute, func() bool { return b.e.Leader() != nil })
		a = b.back(a, b.leader())
		a.close()
		got := ""
		last := int64(0)
		for _, c := range commits {
			if c.Zxid <= last {
				t.Errorf("zxid %x after %x", c.Zxid, last)
			}
			last = c.Zxid
			got += c.Op.String()
			if c.Err != 0 {
				got += "!"
			}
			for _, ch := range c.Changes {
				got += " " + ch.Op.String() + ch.Path
			}
			got += "; "
		}
		want := "createSession; create create/a; create!; multi create/a/b setData/a; multi!; closeSession delete/a/b; "
		if got != want {
			t.Errorf("commits\n got %s\nwant %s", got, want)
		}
	})
}

func TestWatchesAreFiredWhereTheyAreSet(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.e.Followers()
		a, c := b.on("a", f[0].ID()), b.on("c", f[1].ID())
		a.create("/x", nil, 1)
		c.sync("/")
		c.get("/x", true)
		c.children("/", true)
		b.e.Link(b.e.Leader(), f[1]).Delay(time.Second)
		start := time.Now()
		a.close()
		c.awaitEvent()
		if d := time.Since(start); d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("told after %v, want when its own server applied it", d)
		}
		var got []string
		for _, line := range b.lines[len(b.lines)-2:] {
			got = append(got, line[:len("c   event type=2")])
		}
		if want := []string{"c   event type=2", "c   event type=4"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want the deletion, then the change of children", got)
		}
	})
}

func TestEmptyContainersAreDeleted(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a := b.timed("a", b.leader(), 40000)
		for _, p := range []string{"/used", "/unused", "/busy"} {
			a.do(19, "createContainer "+p, p, []byte{}, open, 4)
		}
		a.create("/used/x", nil, 0)
		a.delete("/used/x", -1)
		a.create("/busy/x", nil, 0)
		stop := a.keepAlive(10 * time.Second)
		<-time.After(61 * time.Second)
		stop()
		if got := paths(b.e.Nodes()); got != "/busy /busy/x /unused" {
			t.Errorf("znodes %s", got)
		}
	})
}

func TestZnodesWhoseTimeIsOverAreDeleted(t *testing.T) {
	cfg := three
	cfg.ExtendedTypes = true
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		a := b.timed("a", b.leader(), 40000)
		for _, p := range []string{"/short", "/set", "/parent", "/long"} {
			ttl := int64(90_000)
			if p == "/long" {
				ttl = 180_000
			}
			a.do(21, "createTTL "+p, p, []byte{}, open, 5, ttl)
		}
		a.create("/parent/kid", nil, 0)
		stop := a.keepAlive(10 * time.Second)
		<-time.After(61 * time.Second)
		a.set("/set", nil, -1)
		<-time.After(60 * time.Second)
		stop()
		if got := paths(b.e.Nodes()); got != "/long /parent /parent/kid /set" {
			t.Errorf("znodes %s", got)
		}
	})
}

// After an election the leader's zxid is that of the new epoch, while its followers stay where they
// were until the first write: until then they refuse a client that has read at the leader. Real
// 3.8.0 servers do the same.
func TestFollowersLagBehindANewEpochUntilTheFirstWrite(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.timed("a", f, 20000)
		a.create("/x", nil, 1)
		b.e.Leader().Kill()
		eventually(t, "a new leader", time.Minute, func() bool { return len(b.e.Followers()) == 1 })
		l, f := b.leader(), b.follower()
		seen, _, err := b.back(a, l).silently(3, "/x", false)
		if err != nil || seen != 2<<32 {
			t.Fatalf("zxid %x at the leader (%v), want the start of epoch 2", seen, err)
		}
		b.connect("a", f).hello("comes back too early", seen, 20000, a.session, a.password, false)
		b.want("connection closed")
		b.back(a, f).exists("/x", false)
		b.want("zxid=z+0")
		b.back(a, l).create("/y", nil, 0)
		b.connect("a", f).hello("comes back", seen, 20000, a.session, a.password, false)
		b.want("session=s1")
	})
}
