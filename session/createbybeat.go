package session

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A beat can carry creates of places. Such a beat begins at once. A place that a beat has created
// has a lease by that beat, because the place existed when the beat was committed. So it costs one
// write to acquire a lock that is held for a moment, as in other libraries.

// beatCreates are creates that one beat carries.
type beatCreates struct {
	guid   string // in the names
	ops    []wire.Op
	places []Place
	done   chan beatCreated // has room for one answer
}

type beatCreated struct {
	paths []string
	err   error
}

// createByBeat begins a beat that creates these znodes, and does not wait for its end. If the
// creates would have to wait for such a beat, it does nothing and returns nil.
func (s *Session) createByBeat(p *protected, guid string) *beatCreates {
	if !p.beat || p.large() {
		return nil
	}
	ops, err := s.rooted(p.creates(guid))
	s.mu.Lock()
	if !s.takesCreates() || sizes(ops) > s.createsRoom() {
		s.mu.Unlock()
		return nil
	}
	b := &beatCreates{guid, ops, p.places, make(chan beatCreated, 1)}
	if err == nil {
		err = s.reserve(ops)
	}
	if err != nil {
		s.mu.Unlock()
		b.done <- beatCreated{err: &Error{Op: "create", Outcome: OutcomeNotDone, Err: err}}
		return b
	}
	s.creating, s.beatSoon = b, true
	s.mu.Unlock()
	send, _ := s.beat()
	notify.Signal(s.wake) // run gives up the connection if the beat takes too long
	if send != nil {
		send()
	}
	return b
}

// answer waits for the end of the beat, at most until the connection ends, and returns the result
// of the creates.
func (b *beatCreates) answer() (paths []string, err error) {
	r := <-b.done
	b.done <- r // another call of answer finds it here
	return r.paths, r.err
}

// await is answer for a caller whose ctx may end first. It returns nil if ctx or the session has
// ended first, if the creates have failed, or if b is nil, because then there is no beat.
func (b *beatCreates) await(ctx, session context.Context) (paths []string) {
	if b == nil {
		return nil
	}
	select {
	case r := <-b.done:
		b.done <- r
		return r.paths
	case <-ctx.Done():
	case <-session.Done():
	}
	return nil
}

// takesCreates reports whether a beat that begins now may carry creates. After a beat that was
// refused because of a create, the next beat carries none. Otherwise creates that are refused one
// after another would prevent beats for the session's places. For the same reason no create waits
// for the beat after the one that is under way. The caller holds s.mu.
func (s *Session) takesCreates() bool {
	connected := !s.over && s.state == StateConnected && s.conn != s.dropped
	return connected && s.noCreates == 0 && s.heart.exists && s.creating == nil && !s.beating && !s.beatAgain && !s.beatFailed && !s.heart.unsure
}

// createsRoom returns how many bytes the creates in a beat may have, in addition to its checks and
// its own data. The caller holds s.mu.
func (s *Session) createsRoom() int {
	return maxRequest - maxBytesTogether - 2*overhead - len(s.chroot) - len(s.heart.path)
}

// refuseCreates answers creates that no beat will carry. The caller holds s.mu.
func (s *Session) refuseCreates(err error) {
	if s.creating != nil {
		s.ephemerals.reserved -= ephemeralBytes(s.creating.ops)
		s.creating.done <- beatCreated{err: err}
		s.creating = nil
	}
}

// takeCreates returns the creates for the beat that begins now. The caller holds s.mu.
func (s *Session) takeCreates() *beatCreates {
	b := s.creating
	s.creating = nil
	return b
}

// sent calls [Place.Sent] of the places: a beat that carries their creates has been sent.
func (b *beatCreates) sent() {
	if b == nil {
		return
	}
	for _, p := range b.places {
		if p.Sent != nil {
			p.Sent()
		}
	}
}

// operations returns the creates as operations of the beat.
func (b *beatCreates) operations() []wire.Op {
	if b == nil {
		return nil
	}
	return b.ops
}

// createsAnswered answers the creates of a beat with their results. first is the index of the first
// create among the beat's operations.
func (s *Session) createsAnswered(b *beatCreates, results []wire.Result, first int, err error) {
	if b == nil {
		return
	}
	var r beatCreated
	switch last := first + len(b.ops); {
	case err == nil:
		for _, res := range results[first:last] {
			r.paths = append(r.paths, res.Path[len(s.chroot):])
		}
	case OutcomeOf(err) == OutcomeNotDone && !failedAt(results, first, last):
		r.err = errAgain // nothing is wrong with them
	default:
		r.err = &Error{Op: "create", Outcome: OutcomeOf(err), Err: s.refused(b.ops, results[min(first, len(results)):], err)}
	}
	b.done <- r
}

// failedAt reports whether the first operation that failed is one of these.
func failedAt(results []wire.Result, first, last int) bool {
	for i, r := range results {
		if r.Code != 0 {
			return first <= i && i < last
		}
	}
	return true // the whole request was refused, so the creates were, too
}
