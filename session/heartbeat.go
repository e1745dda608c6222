package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A session that holds places has one ephemeral znode, its heartbeat, and sets it every D/4. Other
// sessions read it. While its version grows, the session is alive. If another session sets the
// heartbeat to "revoked" at the version that it read last, and that succeeds, then no later beat
// was committed, and none will be.

// revoked begins the data of a heartbeat from whose session another session has taken over.
const revoked = "revoked"

// revokedAt returns the data that a session writes when it takes over at the given version.
func revokedAt(version int32) string { return fmt.Sprintf("%s %d", revoked, version) }

// heartbeat is what a session knows of its own heartbeat. The session's mu guards it.
type heartbeat struct {
	path    string // without the chroot
	exists  bool   // it was created; it is not created again in this session
	czxid   int64  // zero until an answer has shown it
	version int32
	next    int32         // the version after the beat that is under way, if any is
	sent    bool          // a beat is under way
	guarded int32         // the latest version that a create of places or a FencedMulti expects, see guard
	unsure  bool          // the version is not known: an answer was lost, or another has set the znode
	refused error         // why the heartbeat could not be used, since the latest fence
	until   clock.Instant // the end of the lease by the latest beat
}

// know notes the version that an answer has shown.
func (h *heartbeat) know(version int32) { h.version, h.next, h.unsure = version, version, false }

// guard notes that a write is sent that succeeds only at this version.
func (h *heartbeat) guard(version int32) {
	if version-h.guarded > 0 { // a difference, because versions begin again after the largest
		h.guarded = version
	}
}

// HeartbeatPath returns the path of the heartbeat of the session with the given id.
func (s *Session) HeartbeatPath(id int64) string {
	return join(s.cfg.Beats, fmt.Sprintf("%x", uint64(id)))
}

// LeaseTime returns D: how long a lease lasts from the beginning of the beat that extends it. It is
// [Config.Lease], or half of the session timeout that was granted first if that is less.
func (s *Session) LeaseTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaseTime
}

// LeaseAsked returns [Config.Lease]. LeaseTime is shorter if a server has granted a short session
// timeout. Another client with the same Config.Lease may have got a longer session timeout from
// another server. So the first client that uses a path writes LeaseAsked into the path's record, as
// the longest lease that is allowed there.
func (s *Session) LeaseAsked() time.Duration { return s.cfg.Lease }

// ParseLease reads a lease time as it is written in heartbeats and in records of recipes. It
// refuses a time of more than 30 minutes. A longer time was written by hand or by a faulty server,
// and calculations with it may overflow.
func ParseLease(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxTimeout/2 {
		return 0, fmt.Errorf("session: a lease of %q; want a positive one of at most %v", text, maxTimeout/2)
	}
	return d, nil
}

// isHeartbeat reports whether stat is that of the heartbeat that this session has created. If it is
// not, isHeartbeat ends the session. The caller holds s.mu.
func (s *Session) isHeartbeat(stat *zk.Stat) bool {
	if stat.EphemeralOwner == s.id && (s.heart.czxid == 0 || s.heart.czxid == stat.Czxid) {
		s.heart.czxid = stat.Czxid
		return true
	}
	s.finish(fmt.Errorf("%w: %s is another's", ErrNoHeartbeat, s.heart.path))
	return false
}

// heartbeatRefused fails all places, because the session has no permission to use its own
// heartbeat. Trying again would not help. From now on the version counts as known: a beat for a new
// place uses it, and is refused if it is wrong. The caller holds s.mu.
func (s *Session) heartbeatRefused(what string, err error) {
	s.heart.know(s.heart.version)
	s.heart.refused = s.noPermission(what, err)
	for _, h := range s.holds {
		h.fail(s.heart.refused)
	}
}

// readHeartbeat reads the version for the next beat, or finds that the session is over.
func (s *Session) readHeartbeat(ctx context.Context) error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	answered := make(chan error, 1)
	s.askHeartbeat(conn, func(err error) { answered <- err })
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return endOf(ctx)
	}
}

// askHeartbeat is readHeartbeat for a caller that must not wait: it calls then with the error.
func (s *Session) askHeartbeat(conn *wire.Conn, then func(error)) {
	s.mu.Lock()
	full := s.chroot + s.heart.path
	s.mu.Unlock()
	read := &wire.Request{Ops: []wire.Op{{Kind: wire.OpGetData, Path: full}}}
	s.ask(conn, read, func(results []wire.Result, err error) {
		if err != nil {
			results = make([]wire.Result, 1)
		}
		then(s.heartbeatRead(results[0], err))
	})
}

// heartbeatRead handles the answer to a read of the heartbeat.
func (s *Session) heartbeatRead(r wire.Result, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, zk.ErrNoNode):
		s.finish(fmt.Errorf("%w: %s", ErrNoHeartbeat, s.heart.path))
		return err
	case errors.Is(err, zk.ErrNoAuth):
		s.heartbeatRefused("read (READ)", err)
		return err
	case err != nil:
		return err
	case !s.isHeartbeat(&r.Stat):
		return ErrNoHeartbeat
	case strings.HasPrefix(string(r.Data), revoked):
		s.finish(ErrRevoked)
		return ErrRevoked
	}
	if s.heart.sent && r.Stat.Version == s.heart.version { // the read was before the beat
		s.heart.unsure = false
	} else {
		s.heart.know(r.Stat.Version)
	}
	return nil
}

// maybeRevoked reports whether another session may have taken over without this one knowing it: the
// lease has lapsed, and the session makes no beats, which would show it. A place that is created in
// a revoked session would be taken over at once.
func (s *Session) maybeRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, _ := s.heldPlaces()
	return !s.heart.until.IsZero() && s.heart.until.Passed(s.clock.Now()) && !held
}

// noPermission names the permission that is missing for our own heartbeat, and the credentials of
// the client.
func (s *Session) noPermission(what string, err error) error {
	return fmt.Errorf("session: no permission to %s the own heartbeat below %s, asked %s: %w", what, s.cfg.Beats, s.cfg.asWhom(), err)
}

// notOurs says what to do if the directory of the heartbeats belongs to others.
const notOurs = "this directory, or one above it, probably belongs to another service, which has created it for its own credentials alone: " +
	"give each service its own chroot, or set Config.Beats to a path outside of that directory"
