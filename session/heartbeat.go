package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A session that holds places keeps one ephemeral znode, its heartbeat, and sets it every D/4.
// Others read it. While its version grows the session lives. A session that sets it to "revoked"
// at the version that it saw last knows that no later beat was committed, and that none will be.

// revoked begins what a heartbeat holds once another session has taken over.
const revoked = "revoked"

// revokedAt is what a heartbeat is set to at the given version by a session that takes over.
func revokedAt(version int32) string { return fmt.Sprintf("%s %d", revoked, version) }

// heartbeat is what a session knows of its own heartbeat. The session's mu guards it.
type heartbeat struct {
	path    string // without the chroot
	exists  bool   // it was created; never again in this session
	czxid   int64  // zero until a beat's answer has told it
	version int32
	unsure  bool          // the version is not known: an answer was lost, or another has set the znode
	until   clock.Instant // the end of the lease by the latest beat
}

// Heartbeat returns the path of the heartbeat of the session with the given id.
func (s *Session) Heartbeat(id int64) string {
	return join(s.cfg.Beats, fmt.Sprintf("%x", uint64(id)))
}

// LeaseTime returns D: how long a lease lasts from the beginning of the beat that extends it.
// It is [Config.Lease], or half of a smaller session timeout that was granted.
func (s *Session) LeaseTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaseTime
}

// parts of D.
const (
	beatEvery   = 4  // between the beginnings of two beats
	beatRetry   = 32 // after one that failed
	beatLost    = 4  // a beat unanswered for so long means that this server is no good
	dialPatient = 8  // an attempt at a server, while a lease runs
	dialPause   = 4  // between two rounds of attempts, for a session that holds places
)

// maxReserved bounds the places that a beat checks although they need no lease yet.
const maxReserved = 100

// pace tells when to beat and when to give up a connection. It belongs to Session.run.
type pace struct {
	pending    bool          // one is outstanding
	connection uint64        // the connection that it belongs to
	begun      clock.Instant // when the latest began
	again      clock.Instant // no connection is given up before this
	delay      time.Duration // by how much again was last put off
}

// beating is what pace has to know.
type beating struct {
	connected  bool
	connection uint64
	wanted     bool // there is a place to beat for, or it is not known whether the session goes on
	soon       bool // somebody waits for a beat
	failed     bool // the latest one failed
	running    bool // a lease runs, which a move to another server may save
	lease, T   time.Duration
	ended      bool // the outstanding one has ended
}

type step int

const (
	stepWait step = iota
	stepBeat
	stepMove // to another server
)

// next returns what to do now, and after what time to ask again; a wake-up may come earlier.
func (p *pace) next(now clock.Instant, b beating) (step, time.Duration) {
	if b.ended {
		p.pending = false
		if !b.failed {
			p.again, p.delay = clock.Instant{}, 0
		}
	}
	if !b.connected {
		return stepWait, forever // the next connection wakes the loop
	}
	if p.pending {
		return p.await(now, b)
	}
	if !b.wanted {
		return stepWait, forever // a new Hold wakes the loop
	}
	due := p.begun.Add(b.lease / beatEvery)
	switch {
	case b.failed:
		due = p.begun.Add(b.lease / beatRetry)
	case b.soon:
		due = now
	}
	if !p.begun.IsZero() && !due.Passed(now) {
		return stepWait, due.Until(now)
	}
	p.pending, p.connection, p.begun = true, b.connection, now
	return stepBeat, b.lease / beatLost
}

// await gives up a connection on which a beat is not answered in time. While no lease runs
// there is none to save, and the moves become rarer: the ensemble as a whole may be slow.
func (p *pace) await(now clock.Instant, b beating) (step, time.Duration) {
	if p.connection != b.connection {
		// It was queued while there was no connection: its time runs from now.
		p.connection, p.begun = b.connection, now
	}
	overdue := p.begun.Add(b.lease / beatLost)
	if !overdue.Passed(now) {
		return stepWait, overdue.Until(now)
	}
	if !p.again.Passed(now) {
		return stepWait, p.again.Until(now)
	}
	p.delay = min(max(2*p.delay, b.lease/beatLost), max(b.T/4, b.lease/beatLost))
	if b.running {
		p.delay = b.lease / beatLost
	}
	p.again = now.Add(p.delay)
	return stepMove, forever
}

// beat makes the beat that is due, and gives up the connection if one is overdue.
func (s *Session) beat(now clock.Instant, p *pace) time.Duration {
	s.mu.Lock()
	connection, conn := s.connection, s.conn
	facts := beating{
		connected: s.state == Connected, connection: connection,
		wanted: s.heart.exists && (s.heldPlaces() || s.heart.unsure), soon: s.beatSoon, failed: s.beatFailed, ended: s.beatEnded,
		running: !s.heart.until.Passed(now), lease: s.leaseTime, T: s.timeout,
	}
	s.beatEnded = false
	do, wait := p.next(now, facts)
	if do == stepBeat {
		s.beatSoon, s.beatFailed = false, false
	}
	s.mu.Unlock()
	switch do {
	case stepBeat:
		s.calls.Go(func() { s.beatOnce() })
	case stepMove:
		s.drop(conn, errSlowBeat)
	}
	return wait
}

// errSlowBeat is why a connection was given up.
var errSlowBeat = errors.New("a heartbeat was not answered in time")

// heldPlaces reports whether there is a place to beat for. The caller holds s.mu.
func (s *Session) heldPlaces() bool {
	for _, h := range s.holds {
		if h.kept && h.err == nil {
			return true
		}
	}
	return false
}

// beatOnce makes one beat, and reads the heartbeat first where its version is not known.
func (s *Session) beatOnce() {
	begun := s.clock.Now() // before anything is sent
	s.mu.Lock()
	unsure := s.heart.unsure
	s.mu.Unlock()
	var err error
	if unsure {
		err = s.readHeartbeat()
		begun = s.clock.Now()
	}
	if err == nil {
		err = s.setHeartbeat(begun)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.counts.beaten(s.clock.Now().Sub(begun))
	} else {
		s.counts.failedBeats.Add(1)
	}
	s.beatEnded, s.beatFailed = true, err != nil && !s.beatAgain
	s.beatSoon, s.beatAgain = s.beatSoon || s.beatAgain, false
	signal(s.wake)
}

// setHeartbeat sets the heartbeat at the version that is known. In the same multi it checks the
// places whose leases this beat is to extend.
func (s *Session) setHeartbeat(begun clock.Instant) error {
	s.mu.Lock()
	path, version, data := s.heart.path, s.heart.version, []byte(s.leaseTime.String())
	places := s.nextPlaces()
	var ops []any
	for _, h := range places {
		ops = append(ops, &zk.CheckVersionRequest{Path: h.own.full, Version: -1})
	}
	s.mu.Unlock()
	ops = append(ops, &zk.SetDataRequest{Path: s.chroot + path, Data: data, Version: version})
	results, err := s.zk.Multi(ops...)
	err = named(err)
	s.observe(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.beatRefused(places, results, err)
		return err
	}
	if len(results) != len(ops) || results[len(places)].Stat == nil {
		s.heart.unsure = true
		return errors.New("session: a beat's answer does not tell the heartbeat's version")
	}
	if !s.isHeartbeat(results[len(places)].Stat) {
		return ErrNoHeartbeat
	}
	s.heart.version = results[len(places)].Stat.Version
	s.beaten(begun, places)
	return nil
}

// nextPlaces returns the places that the next beat checks: those to be kept, in turn where a
// request has no room for all, and some that are only reserved. The caller holds s.mu.
func (s *Session) nextPlaces() (places []*Hold) {
	bytes, reserved := 0, 0
	add := func(h *Hold) {
		places = append(places, h)
		bytes += overhead + len(h.own.full)
	}
	n := len(s.holds)
	begin := s.turn
	for s.turn = 0; begin+s.turn < n && bytes < maxBytesTogether; s.turn++ {
		if h := s.holds[begin+s.turn]; h.kept && h.holdable() {
			add(h)
		} else if reserved < maxReserved && h.holdable() {
			add(h)
			reserved++
		}
	}
	if s.turn += begin; s.turn >= n {
		s.turn = 0
	}
	return places
}

// holdable reports whether the place may still exist. The caller holds s.mu.
func (h *Hold) holdable() bool { return h.err == nil && !h.own.deleted && h.own.full != "" }

// isHeartbeat reports whether stat is that of the znode that this session has created; if it
// is not, the session is over. The caller holds s.mu.
func (s *Session) isHeartbeat(stat *zk.Stat) bool {
	if stat.EphemeralOwner == s.id && (s.heart.czxid == 0 || s.heart.czxid == stat.Czxid) {
		s.heart.czxid = stat.Czxid
		return true
	}
	s.finish(fmt.Errorf("%w: %s is another's", ErrNoHeartbeat, s.heart.path))
	return false
}

// beaten extends the leases of the places that a beat begun at begun has checked: they existed
// when it was committed. That no event has told of their deletion would not do: newer servers
// deliver none to a session whose permission to read the znode was taken away before. The caller
// holds s.mu.
func (s *Session) beaten(begun clock.Instant, places []*Hold) {
	until, now := begun.Add(s.leaseTime), s.clock.Now()
	s.heart.until = until
	if s.over {
		return
	}
	for _, h := range places {
		if h.holdable() {
			h.extend(until, now)
		}
	}
	s.beatSoon = s.beatSoon || s.turn > 0 // some places have not had their turn
}

// beatRefused draws the conclusions from a beat that failed. The caller holds s.mu.
func (s *Session) beatRefused(places []*Hold, results []zk.MultiResponse, err error) {
	s.turn = 0
	s.heart.unsure = true // also after BadVersion, which is no verdict: a late beat may be our own
	if OutcomeOf(err) != NotDone || len(results) == 0 {
		return
	}
	failed := 0
	for failed < len(results) && results[failed].Error == nil {
		failed++
	}
	refused := errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth)
	switch {
	case !refused:
	case failed < len(places): // this place has ended, the heartbeat goes on
		s.heart.unsure, s.beatAgain = false, true
		places[failed].fail(err)
	case errors.Is(err, zk.ErrNoNode):
		s.finish(fmt.Errorf("%w: %s", ErrNoHeartbeat, s.heart.path))
	default:
		s.barred("set (WRITE)", err)
	}
}

// barred ends all places: the own heartbeat must not be used. Trying again would not help; should
// it be for a new place, a version that is not known is refused. The caller holds s.mu.
func (s *Session) barred(what string, err error) {
	s.heart.unsure = false
	for _, h := range s.holds {
		h.fail(s.noPermission(what, err))
	}
}

// readHeartbeat finds out at which version to go on, or that the session is over.
func (s *Session) readHeartbeat() error {
	s.mu.Lock()
	path := s.heart.path
	s.mu.Unlock()
	data, stat, err := s.zk.Get(s.chroot + path)
	err = named(err)
	s.observe(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, zk.ErrNoNode):
		s.finish(fmt.Errorf("%w: %s", ErrNoHeartbeat, path))
		return err
	case errors.Is(err, zk.ErrNoAuth):
		s.barred("read (READ)", err)
		return err
	case err != nil:
		return err
	case !s.isHeartbeat(stat):
		return ErrNoHeartbeat
	case strings.HasPrefix(string(data), revoked):
		s.finish(ErrRevoked)
		return ErrRevoked
	}
	s.heart.version, s.heart.unsure = stat.Version, false
	return nil
}

// maybeRevoked reports whether another may have taken over without our knowledge: the lease has
// lapsed, and no beat will tell. A place of a session that is over would be taken at once.
func (s *Session) maybeRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.heart.until.IsZero() && s.heart.until.Passed(s.clock.Now()) && !s.heldPlaces()
}

// noPermission names what is missing for our own heartbeat.
func (s *Session) noPermission(what string, err error) error {
	return fmt.Errorf("session: no permission to %s the own heartbeat below %s: %w", what, s.cfg.Beats, err)
}

// createFirst carries out the create of a session's first place. The heartbeat is created in
// the same multi. It is created once in a session: where that is not known to have happened or
// not, the session is over.
func (s *Session) createFirst(path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	s.mu.Lock()
	beat, lease := s.Heartbeat(s.id), s.leaseTime
	s.mu.Unlock()
	results, err := s.Multi(s.ctx,
		&zk.CreateRequest{Path: beat, Data: []byte(lease.String()), Flags: zk.FlagEphemeral},
		&zk.CreateRequest{Path: path, Data: data, Flags: flags, Acl: acl})
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heart = heartbeat{path: beat, exists: true}
		signal(s.wake)
		return results[1].String, nil
	}
	if OutcomeOf(err) == Unknown {
		return "", s.findHeartbeat(beat, err)
	}
	ofHeartbeat := len(results) > 0 && results[0].Error != nil && errors.Is(err, results[0].Error)
	switch {
	case !ofHeartbeat:
	case errors.Is(err, zk.ErrNoNode):
		if err := s.EnsurePath(s.ctx, s.cfg.Beats, nil); err != nil {
			return "", fmt.Errorf("session: cannot create %s for heartbeats (see Config.Beats): %w", s.cfg.Beats, err)
		}
		return "", errAgain
	case errors.Is(err, zk.ErrNoAuth):
		return "", s.noPermission("create (CREATE)", err)
	case errors.Is(err, zk.ErrNodeExists):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(fmt.Errorf("%w: %s exists already", ErrNoHeartbeat, beat))
	}
	return "", err
}

// awaitBirth waits while another create is to bring the heartbeat. first is true if there is
// none: then the caller is to make it, and calls done afterwards.
func (s *Session) awaitBirth(ctx context.Context) (first bool, done func(), err error) {
	select {
	case s.birth <- struct{}{}:
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return false, nil, context.Cause(s.ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heart.exists {
		<-s.birth
		return false, nil, nil
	}
	return true, func() { <-s.birth }, nil
}

// errAgain: nothing was created, and the reason for that is mended.
var errAgain = errors.New("session: to be tried again")

// findHeartbeat looks whether a create whose answer was lost has happened. If the heartbeat
// is there it has, and it was the only one. If it is not it may come yet, so that the session
// cannot have one.
func (s *Session) findHeartbeat(beat string, lost error) error {
	var stat zk.Stat
	err := s.Sync(s.ctx, "/")
	if err == nil {
		stat, _, err = s.Exists(s.ctx, beat)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && stat.EphemeralOwner == s.id {
		s.heart = heartbeat{path: beat, exists: true, unsure: true}
		signal(s.wake)
		return lost // for the place, which came with it
	}
	s.finish(fmt.Errorf("%w: whether %s was created is not known", ErrNoHeartbeat, beat))
	return context.Cause(s.ctx)
}
