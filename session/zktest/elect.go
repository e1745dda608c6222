package zktest

import "time"

// look makes a server look for a leader. The server forgets its role and serves nobody. What it has
// logged but not seen committed becomes part of its state, as when a real server reloads its log.
// The next leader decides whether that survives.
func (s *server) look() {
	s.term++
	s.role = looking
	s.stopServing()
	s.fastForward()
	s.lead, s.peer = nil, nil
	s.e.callElection()
}

func (s *server) fastForward() {
	for _, x := range s.tail {
		s.tree.apply(x, func(change) {})
	}
	s.unreported = append(s.unreported, s.tail...)
	s.tail = nil
}

// leave ends the server's part in its quorum.
func (s *server) leave(why string) {
	if s.role != leading && s.role != following {
		return
	}
	s.e.logf("server %d stops %v: %s", s.id, s.role, why)
	s.unpeer()
	s.look()
}

// unpeer closes the server's connections to its peers.
func (s *server) unpeer() {
	if s.peer != nil {
		s.peer.closeUp()
	}
	if s.lead != nil {
		for _, p := range append([]*peering(nil), s.lead.peers...) {
			p.detach()
		}
	}
}

// callElection holds an election soon, and again as long as a server looks for a leader.
func (e *Ensemble) callElection() {
	if e.election != nil {
		return
	}
	e.election = e.after(e.cfg.ElectionTime, func() {
		e.election = nil
		e.elect()
		for _, s := range e.servers {
			if s.role == looking {
				e.callElection()
			}
		}
	})
}

// elect stands in for ZooKeeper's exchange of votes. Its outcome is the same. If there is a leader,
// and a server can reach the quorum of that leader, the server joins it. Otherwise servers that can
// reach each other choose the one with the newest log among them. It leads if they are a quorum.
func (e *Ensemble) elect() {
	choice := map[*server]*server{}
	for _, s := range e.servers {
		if s.role != looking || s.frozen {
			continue
		}
		if l := e.leaderFor(s); l != nil {
			s.follow(l)
		} else {
			choice[s] = e.bestFor(s)
		}
	}
	for _, l := range e.servers {
		if choice[l] != l {
			continue
		}
		votes := 0
		for _, s := range e.servers {
			if choice[s] == l {
				votes++
			}
		}
		if votes < e.quorum() {
			continue
		}
		l.beginLeading()
		for _, s := range e.servers {
			if s != l && choice[s] == l {
				s.follow(l)
			}
		}
		return
	}
}

// leaderFor finds a leader whose quorum s can reach.
func (e *Ensemble) leaderFor(s *server) *server {
	for _, l := range e.servers {
		if l.role != leading || !e.reachable(s, l) {
			continue
		}
		n := 0
		for _, v := range e.servers {
			follows := v == l || v.peer != nil && v.peer.leader == l
			if v != s && follows && e.reachable(s, v) {
				n++
			}
		}
		if n >= e.quorum() {
			return l
		}
	}
	return nil
}

// bestFor is the vote of s: the newest log it can see, in a quorum.
func (e *Ensemble) bestFor(s *server) *server {
	best, n := s, 1
	for _, v := range e.servers {
		if v == s || v.role != looking || !e.reachable(s, v) {
			continue
		}
		n++
		if v.newerThan(best) {
			best = v
		}
	}
	if n < e.quorum() {
		return nil
	}
	return best
}

func (s *server) newerThan(o *server) bool {
	switch {
	case s.currentEpoch != o.currentEpoch:
		return s.currentEpoch > o.currentEpoch
	case s.tree.zxid != o.tree.zxid:
		return s.tree.zxid > o.tree.zxid
	}
	return s.id > o.id
}

// reachable reports whether two servers reach each other, in both directions: an exchange of votes
// needs both.
func (e *Ensemble) reachable(a, b *server) bool {
	return a == b || b.role != down && !a.frozen && !b.frozen &&
		!e.link(a, b).faults.hold && !e.link(b, a).faults.hold
}

// follow connects to a leader and presents this server.
func (s *server) follow(l *server) {
	s.term++
	s.role = following
	p := &peering{e: s.e, leader: l, follower: s, began: s.e.now, since: s.e.now}
	s.peer = p
	epoch := s.acceptedEpoch
	s.e.link(s, l).send(PacketFollowerInfo, func() {
		if l.lead == nil {
			p.closeDown()
			return
		}
		p.attached, p.heard = true, s.e.now
		l.lead.peers = append(l.lead.peers, p)
		l.lead.join(p, epoch)
	})
	s.watchLeader(p)
}

// watchLeader gives up a leader that is silent for too long, or under which this server does not
// begin to serve in time.
func (s *server) watchLeader(p *peering) {
	ticks, last := s.e.cfg.InitLimit, p.began
	if s.serving {
		ticks, last = s.e.cfg.SyncLimit, p.since
	}
	limit := s.e.cfg.Tick * time.Duration(ticks)
	if s.e.now-last >= limit {
		s.leave("its leader is silent")
		return
	}
	s.after(min(last+limit-s.e.now, s.e.cfg.Tick), func() { s.watchLeader(p) })
}

// beginLeading starts a new leader's work. It serves nobody before a quorum has accepted its epoch
// and has its state.
func (s *server) beginLeading() {
	s.term++
	s.role = leading
	s.lead = newLeadership(s)
	s.after(s.e.cfg.Tick*time.Duration(s.e.cfg.InitLimit), func() {
		if !s.lead.established {
			s.leave("no quorum joined it")
		}
	})
}

// join takes a follower in. The epoch is settled when a quorum, this leader included, has said
// which epoch it has accepted.
func (l *leadership) join(p *peering, epoch int64) {
	l.srv.acceptedEpoch = max(l.srv.acceptedEpoch, epoch)
	if l.epoch != 0 {
		p.inform(l.epoch)
		return
	}
	if len(l.peers)+1 < l.e.quorum() {
		return
	}
	l.epoch = l.srv.acceptedEpoch + 1
	l.srv.acceptedEpoch = l.epoch
	l.srv.currentEpoch = l.epoch
	l.head.zxid = l.epoch << 32
	for _, p := range l.peers {
		p.inform(l.epoch)
	}
}

// inform tells a follower the new epoch. When the follower has accepted it, it gets the leader's
// state.
func (p *peering) inform(epoch int64) {
	p.toFollower(PacketLeaderInfo, func() {
		if epoch < p.follower.acceptedEpoch {
			p.follower.leave("a leader of an older epoch")
			return
		}
		p.follower.acceptedEpoch = epoch
		p.toLeader(PacketAckEpoch, func(l *leadership, p *peering) { l.sendState(p) })
	})
}

// sendState gives the follower everything, and from then on each proposal. Real servers send a
// difference if they can. Clients cannot tell.
func (l *leadership) sendState(p *peering) {
	t := l.srv.tree.clone()
	tail := append([]*txn(nil), l.srv.tail...)
	unreported := append([]*txn(nil), l.srv.unreported...)
	for _, x := range tail {
		p.unacked = append(p.unacked, logged{x.zxid, l.e.now})
	}
	p.forwarding = true
	epoch := l.epoch
	p.toFollower(PacketSnapshot, func() {
		f := p.follower
		f.tree, f.tail, f.unreported = t, tail, unreported
		f.currentEpoch = epoch
		p.toLeader(PacketAckLeader, func(l *leadership, p *peering) { l.inSync(p) })
		for _, x := range tail {
			p.ack(x.zxid)
		}
	})
}

func (p *peering) ack(zxid int64) {
	p.toLeader(PacketAck, func(l *leadership, p *peering) {
		for len(p.unacked) > 0 && p.unacked[0].zxid <= zxid {
			p.unacked = p.unacked[1:]
		}
		l.acked(p.follower.id, zxid)
	})
}

// inSync counts a follower that has the leader's state. With a quorum the leader begins to serve.
func (l *leadership) inSync(p *peering) {
	p.synced = true
	if l.established {
		p.upToDate()
		return
	}
	n := 1
	for _, q := range l.peers {
		if q.synced {
			n++
		}
	}
	if n < l.e.quorum() {
		return
	}
	l.e.serve(l)
	for _, q := range l.peers {
		if q.synced {
			q.upToDate()
		}
	}
}

// serve lets a leader whose state a quorum has serve its clients.
func (e *Ensemble) serve(l *leadership) {
	for _, x := range l.srv.unreported {
		e.committed(x)
	}
	l.srv.unreported = nil
	l.srv.tree.zxid = l.epoch << 32
	e.logf("server %d leads, epoch %d", l.srv.id, l.epoch)
	l.start()
}

func (p *peering) upToDate() {
	p.toFollower(PacketUpToDate, func() {
		f := p.follower
		f.touched = map[int64]time.Duration{}
		f.startServing()
		p.e.logf("server %d follows server %d", f.id, p.leader.id)
	})
}
