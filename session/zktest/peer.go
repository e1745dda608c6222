package zktest

import "time"

// Packet names a kind of packet between servers, for faults that concern only that kind.
type Packet string

// The packets between a leader and a follower. The first group is what a follower sends, the second
// what a leader sends.
const (
	PacketFollowerInfo Packet = "followerInfo" // a follower presents itself
	PacketAckEpoch     Packet = "ackEpoch"     // it accepts the new epoch
	PacketAckLeader    Packet = "ackNewLeader" // it has the leader's state
	PacketPingReply    Packet = "pingReply"    // which sessions it has heard from
	PacketAck          Packet = "ack"          // it has logged a proposal
	PacketRequest      Packet = "request"      // a client's write or sync
	PacketRevalidate   Packet = "revalidate"   // a client has come back

	PacketLeaderInfo      Packet = "leaderInfo" // the new epoch
	PacketSnapshot        Packet = "snapshot"   // the leader's whole state
	PacketUpToDate        Packet = "upToDate"   // serve clients now
	PacketPing            Packet = "ping"
	PacketProposal        Packet = "proposal"
	PacketCommit          Packet = "commit"
	PacketSync            Packet = "sync"
	PacketRevalidateReply Packet = "revalidateReply"

	PacketClosed Packet = "closed" // the connection has ended
)

// peering is one follower's connection to one leader.
type peering struct {
	e        *Ensemble
	leader   *server
	follower *server
	began    time.Duration

	// At the leader.
	attached   bool // among the leader's peers
	forwarding bool // gets proposals and commits
	synced     bool // has acknowledged the leader's state
	deadline   int  // the tick by which it must be heard from
	heard      time.Duration
	unacked    []logged

	// At the follower.
	since time.Duration // last word from the leader
}

// logged is a proposal that the leader waits for this follower to acknowledge.
type logged struct {
	zxid int64
	at   time.Duration
}

// toLeader sends one packet up. It arrives only while this peering lasts.
func (p *peering) toLeader(kind Packet, fn func(*leadership, *peering)) {
	p.e.link(p.follower, p.leader).send(kind, func() {
		l := p.leader.lead
		if !p.attached || l == nil {
			return
		}
		p.heard = p.e.now
		p.deadline = l.tick + p.e.cfg.SyncLimit
		fn(l, p)
	})
}

// toFollower sends one packet down.
func (p *peering) toFollower(kind Packet, fn func()) {
	p.e.link(p.leader, p.follower).send(kind, func() {
		if p.follower.peer == p {
			p.since = p.e.now
			fn()
		}
	})
}

// detach ends the peering at the leader's end.
func (p *peering) detach() {
	l := p.leader.lead
	if !p.attached {
		return
	}
	p.attached, p.forwarding, p.synced = false, false, false
	if l != nil {
		for i, q := range l.peers {
			if q == p {
				l.peers = append(l.peers[:i:i], l.peers[i+1:]...)
				break
			}
		}
	}
	p.closeDown()
}

// closeDown tells the follower that the connection has ended.
func (p *peering) closeDown() {
	p.e.link(p.leader, p.follower).send(PacketClosed, func() {
		if p.follower.peer == p {
			p.follower.leave("its leader closed the connection")
		}
	})
}

// closeUp tells the leader.
func (p *peering) closeUp() {
	p.e.link(p.follower, p.leader).send(PacketClosed, func() { p.detach() })
}

// continues tells whether zxid is the one after all that the server has logged. Only a fault that
// loses packets can make it another.
func (s *server) continues(zxid int64) bool {
	last := s.tree.zxid
	if n := len(s.tail); n > 0 {
		last = s.tail[n-1].zxid
	}
	if last>>32 != s.currentEpoch {
		last = s.currentEpoch << 32
	}
	return zxid == last+1
}

// propose and commit use one queue, with the pings.
func (p *peering) propose(x *txn) {
	p.unacked = append(p.unacked, logged{x.zxid, p.e.now})
	p.toFollower(PacketProposal, func() {
		f := p.follower
		if !f.continues(x.zxid) {
			f.leave("a proposal is missing")
			return
		}
		f.tail = append(f.tail, x)
		p.ack(x.zxid)
	})
}

func (p *peering) commit(zxid int64) {
	p.toFollower(PacketCommit, func() {
		f := p.follower
		if len(f.tail) == 0 || f.tail[0].zxid != zxid {
			f.leave("a commit is missing, or its proposal")
			return
		}
		x := f.tail[0]
		f.tail = f.tail[1:]
		f.apply(x)
	})
}

func (p *peering) answerSync() {
	p.toFollower(PacketSync, func() { p.follower.synced() })
}

// ping asks the follower which sessions it has heard from since it was last asked. The answer is
// the only thing that keeps them alive.
func (p *peering) ping() {
	p.toFollower(PacketPing, func() {
		touched := p.follower.snapshot()
		p.toLeader(PacketPingReply, func(l *leadership, p *peering) {
			for _, id := range sortedKeys(touched) {
				l.touch(id, touched[id])
			}
		})
	})
}

// pingLoop runs every half tick, the first time after d. Every second time the leader counts the
// followers that it still hears from.
func (l *leadership) pingLoop(d time.Duration) {
	l.srv.after(d+l.srv.late, func() {
		if !l.srv.noPings && !l.halfTick() {
			l.srv.leave("it hears from too few followers")
			return
		}
		for _, p := range append([]*peering(nil), l.peers...) {
			l.pingPeer(p)
		}
		l.pingLoop(l.e.cfg.Tick / 2)
	})
}

// halfTick counts ticks, and tells whether there is a quorum still.
func (l *leadership) halfTick() bool {
	l.skip = !l.skip
	if l.skip {
		return true
	}
	l.tick++
	return l.hasQuorum()
}

// pingPeer pings a follower in sync, or drops one that has been silent or has left a proposal
// unacknowledged for too long. In a real server a thread of its own notices a silent follower, also
// while no pings are sent.
func (l *leadership) pingPeer(p *peering) {
	limit, last := l.e.cfg.Tick*time.Duration(l.e.cfg.SyncLimit), p.heard
	if !p.synced {
		limit, last = l.e.cfg.Tick*time.Duration(l.e.cfg.InitLimit), p.began
	}
	stuck := !l.srv.noPings && len(p.unacked) > 0 && l.e.now-p.unacked[0].at >= limit
	if stuck || l.e.now-last >= limit {
		l.e.logf("server %d drops follower %d", l.srv.id, p.follower.id)
		p.detach()
		return
	}
	if p.synced && !l.srv.noPings {
		p.ping()
	}
}

func (l *leadership) hasQuorum() bool {
	n := 1
	for _, p := range l.peers {
		if p.synced && l.tick <= p.deadline {
			n++
		}
	}
	return n >= l.e.quorum()
}
