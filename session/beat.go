package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// maxReserved bounds the number of reserved places that a beat checks.
const maxReserved = 100

// beat begins a beat if one is due, and gives up the connection if a beat is overdue. If send is
// not nil, the caller has to call it, because it writes the beat. wait is how long to wait before
// the next call.
func (s *Session) beat() (send func(), wait time.Duration) {
	s.mu.Lock()
	now, conn := s.clock.Now(), s.conn
	held, oldest := s.heldPlaces()
	facts := beating{
		connected: s.state == StateConnected && conn != s.dropped, // zk takes a moment to notice
		wanted:    s.heart.exists && (held || s.heart.unsure || s.creating != nil || len(s.fences) > 0),
		pending:   s.beating, soon: s.beatSoon || s.beatAgain, failed: s.beatFailed, oldest: oldest,
		lease: s.leaseTime, T: s.timeout,
	}
	if !facts.connected {
		s.refuseCreates(errAgain)
	}
	do, wait := s.pace.next(now, facts)
	if do == stepBeat {
		s.beatSoon, s.beatAgain, s.beatFailed, s.beating = false, false, false, true
	}
	s.mu.Unlock()
	switch do {
	case stepBeat:
		return func() { s.beatOnce(conn, now) }, wait
	case stepMove:
		s.drop(conn, errSlowBeat)
	}
	return nil, wait
}

// errSlowBeat is why a connection was given up.
var errSlowBeat = errors.New("a heartbeat was not answered in time")

// heldPlaces reports whether there is a place to beat for. Of these places, one was checked least
// recently: oldest is when the beat that checked it began. The caller holds s.mu.
func (s *Session) heldPlaces() (held bool, oldest clock.Instant) {
	for _, h := range s.holds {
		if h.kept && h.holdable() && (!held || h.checked.Mono < oldest.Mono) {
			held, oldest = true, h.checked
		}
	}
	return held, oldest
}

// beatOnce makes one beat, which begins at begun. If the version of the heartbeat is not known, it
// reads that first, and the beat begins after the read.
func (s *Session) beatOnce(conn *wire.Conn, begun clock.Instant) {
	s.mu.Lock()
	unsure := s.heart.unsure
	s.mu.Unlock()
	if !unsure {
		s.setHeartbeat(conn, begun)
		return
	}
	s.askHeartbeat(conn, func(err error) {
		if err != nil {
			s.beatEnded(begun, false, err)
			return
		}
		s.setHeartbeat(conn, s.clock.Now())
	})
}

// beatEnded notes that a beat has ended. If again is true, the beat was refused because of one
// place or create.
func (s *Session) beatEnded(begun clock.Instant, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.counts.beaten(s.clock.Now().Sub(begun))
	} else {
		s.counts.failedBeats.Add(1)
	}
	held, _ := s.heldPlaces() // if none is held, no beat follows
	s.beating, s.beatAgain, s.beatFailed = false, again && held, err != nil && !again
	notify.Signal(s.wake)
	for answered := range s.fences {
		notify.Signal(answered)
	}
}

// setHeartbeat sets the heartbeat at the version that is known. The same multi checks the places
// whose leases this beat is to extend, and carries the creates that wait for it.
func (s *Session) setHeartbeat(conn *wire.Conn, begun clock.Instant) {
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	version, data := s.heart.version, []byte(s.leaseTime.String())
	full := s.chroot + s.heart.path
	places := s.nextPlaces(begun)
	var ops []wire.Op
	for _, h := range places {
		h.sent = true
		ops = append(ops, wire.Op{Kind: wire.OpCheck, Path: h.own.full, Version: -1})
	}
	b := s.takeCreates()
	if b != nil {
		s.heart.guard(version)
	}
	s.heart.next, s.heart.sent = version+1, true
	s.mu.Unlock()
	ops = append(ops, b.operations()...)
	last := len(ops)
	ops = append(ops, wire.Op{Kind: wire.OpSetData, Path: full, Data: data, Version: version})
	s.ask(conn, &wire.Request{Ops: ops, Multi: true, Sent: b.sent}, func(results []wire.Result, err error) {
		again, err := s.beatAnswered(begun, places, last, results, err)
		s.createsAnswered(b, results, len(places), err)
		s.beatEnded(begun, again, err)
	})
}

// beatAnswered handles the answer to a beat. last is the index of the operation that sets the
// heartbeat. If one place or create was refused, again is true: another beat has to be made without
// it.
func (s *Session) beatAnswered(begun clock.Instant, places []*Hold, last int, results []wire.Result, err error) (again bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range places {
		h.sent = false
	}
	s.heart.sent = false
	if err != nil {
		return s.beatRefused(places, last, results, err), err
	}
	stat := results[last].Stat
	s.noteCreated(creation{begun, stat.Mzxid}, results[len(places):last]) // one multi, one zxid
	if !s.isHeartbeat(&stat) {
		return false, ErrNoHeartbeat
	}
	s.heart.know(stat.Version)
	s.beaten(begun, places)
	return false, nil
}

// noteCreated notes the places that a beat has created. The caller holds s.mu.
func (s *Session) noteCreated(c creation, created []wire.Result) {
	for _, r := range created {
		if _, ok := s.ephemerals.paths[r.Path]; ok { // if not, it is gone already
			s.ephemerals.paths[r.Path] = c
		}
	}
}

// nextPlaces returns the places that a beat begun at begun checks: those that are kept, and some
// that are only reserved. It leaves out places that were checked a moment ago: if many places join
// one after another, they need not be checked again for each that joins. If a request has no room
// for all, the next beat goes on where this one stopped. The caller holds s.mu.
func (s *Session) nextPlaces(begun clock.Instant) (places []*Hold) {
	bytes, reserved := 0, 0
	n, begin := len(s.holds), s.turn
	for s.turn = begin; s.turn < n; s.turn++ {
		h := s.holds[s.turn]
		if !h.holdable() || !h.due(begun) || !h.kept && reserved == maxReserved {
			continue
		}
		if bytes += overhead + len(h.own.full); bytes > maxBytesTogether {
			break
		}
		if !h.kept {
			reserved++
		}
		places = append(places, h)
	}
	if s.turn >= n {
		s.turn = 0
	}
	return places
}

// due reports whether a beat that begins now is to check the place. The caller holds s.mu.
func (h *Hold) due(now clock.Instant) bool {
	return h.eager || h.lease == nil || !h.lease.Valid() || h.checked.Add(h.s.leaseTime/beatFresh).Passed(now)
}

// holdable reports whether the place may still exist. The caller holds s.mu.
func (h *Hold) holdable() bool { return h.err == nil && !h.own.deleted && h.own.full != "" }

// seen reports whether the znode that a beat has checked is the place's own. No other znode can
// have taken its name between the read that armed the watch and the answer to the beat. The caller
// holds s.mu.
func (h *Hold) seen() bool {
	return !h.named || h.own.armed != 0 && h.own.armed == h.s.connection && h.own.czxid == h.czxid
}

// beaten extends the leases of the places that a beat begun at begun has checked: they existed when
// it was committed. If the watch has reported no deletion, that proves nothing: newer servers send
// no event to a session that has no permission to read the znode any more. The caller holds s.mu.
func (s *Session) beaten(begun clock.Instant, places []*Hold) {
	until, now := begun.Add(s.leaseTime), s.clock.Now()
	s.heart.until = until
	if s.over {
		return
	}
	for _, h := range places {
		if h.holdable() && h.seen() {
			h.checked = begun
			h.extend(until, now)
		}
	}
	s.beatSoon = s.beatSoon || s.turn > 0 // some places have not been checked yet
}

// beatRefused handles a beat that failed. last is the index of the operation that sets the
// heartbeat. If one place or create was refused, again is true: another beat has to be made without
// it. The caller holds s.mu.
func (s *Session) beatRefused(places []*Hold, last int, results []wire.Result, err error) (again bool) {
	s.turn = 0
	s.heart.unsure = true // also after BadVersion: a late beat of our own may have set that version
	if OutcomeOf(err) != OutcomeNotDone || len(results) == 0 {
		return false
	}
	failed := 0
	for failed < len(results) && results[failed].Code == 0 {
		failed++
	}
	refused := errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth)
	switch {
	case len(places) <= failed && failed < last: // a create is refused, the heartbeat goes on
		again = true
		s.heart.know(s.heart.version)
	case !refused:
	case failed < len(places): // this place has ended, the heartbeat goes on
		again = true
		s.heart.know(s.heart.version)
		places[failed].fail(err)
	case errors.Is(err, zk.ErrNoNode):
		s.finish(fmt.Errorf("%w: %s", ErrNoHeartbeat, s.heart.path))
	default:
		s.heartbeatRefused("set (WRITE)", err)
	}
	return again
}
