package group

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
)

// Members follows who is in a group. It tells a past state. All methods may be called from any
// goroutine.
type Members struct {
	path  string
	prove time.Duration // negative: when asked
	clock clock.Clock
	life  *life.Life
	done  chan struct{} // closed when nothing is left running
	wake  chan struct{}

	mu      sync.Mutex // guards what follows
	now     Snapshot
	known   bool
	changes uint64 // of now, but for AsOf
	joined  uint64 // members that have come since the first snapshot
	left    uint64
	told    uint64        // what Next has returned
	asked   clock.Instant // a proof is wanted that began later
	failure error         // the latest
	err     error         // why it ended
	changed notify.Change
}

// Watch begins to follow the group, across losses of session, until [Members.Close] is called or
// the client is closed. It needs READ on the path and on the members' znodes. The path need not
// exist: a group without a path has no members, and a path that is created is noticed within a
// quarter of the session timeout. The caller need not be a member.
//
// It costs one list for each change of the list, one read for each change of a member, after a
// change of connection one list and one read of each member, and what [Config.Prove] says.
func (g *Group) Watch() *Members {
	m := &Members{
		path: g.path, prove: g.cfg.Prove, clock: g.clock,
		life: life.Begin(context.Background(), g.client, "list of the group", g.path, g.cfg.ID),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go m.run()
	return m
}

// Current returns the latest snapshot. ok is false until there is one. It never blocks.
func (m *Members) Current() (s Snapshot, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now, m.known
}

// Next returns the present snapshot the first time it is called. Later it waits until the members
// or their data differ from the last snapshot that it returned. It may skip states in between. Use
// one Members for each goroutine that calls Next.
//
// The error wraps the cause of ctx, or session.ErrClosed after [Members.Close] and when the client
// was closed. It is a [*recipe.PermanentError] when the group cannot be read from the beginning.
func (m *Members) Next(ctx context.Context) (Snapshot, error) {
	return m.await(ctx, "no change", func() bool {
		if !m.known || m.told == m.changes {
			return false
		}
		m.told = m.changes
		return true
	})
}

// Fresh returns a snapshot whose AsOf is not before the call: all that was acknowledged before, to
// any client, is in it. It costs a quorum write. The error is as that of [Members.Next].
func (m *Members) Fresh(ctx context.Context) (Snapshot, error) {
	m.mu.Lock()
	asked := m.clock.Now()
	m.asked = asked
	m.mu.Unlock()
	m.signal()
	return m.await(ctx, "no list that is new enough", func() bool { return m.known && asked.Reached(m.now.asOf) })
}

// await waits until ready, which is called with m.mu held, returns true. If ctx ends before, the
// error says that lacking is missing.
func (m *Members) await(ctx context.Context, lacking string, ready func() bool) (Snapshot, error) {
	for {
		m.mu.Lock()
		ok := m.err == nil && ready()
		now, err, changed := m.now, m.err, m.changed.Next()
		m.mu.Unlock()
		switch {
		case err != nil:
			return Snapshot{}, err
		case ok:
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Snapshot{}, m.cut(ctx, lacking)
		}
	}
}

// cut returns the error for a wait that ctx has ended. It says what is missing, and the reason if
// that is known.
func (m *Members) cut(ctx context.Context, lacking string) error {
	m.mu.Lock()
	known, failure := m.known, m.failure
	m.mu.Unlock()
	if !known {
		lacking = "the list is not read yet"
	}
	why := context.Cause(ctx)
	if failure != nil {
		return fmt.Errorf("group: %s: %s: %w (%w)", m.path, lacking, why, failure)
	}
	if _, err := m.life.Session(ctx, func(error) {}); errors.Is(err, why) {
		why = err // there is no session, and the error tells what is wrong with each server
	}
	return fmt.Errorf("group: %s: %s: %w", m.path, lacking, why)
}

// Close ends the Members, and waits until nothing of it is left running.
func (m *Members) Close() {
	m.life.Stop()
	<-m.done
}

func (m *Members) run() {
	defer close(m.done)
	defer m.life.End()
	ctx := m.life.Context()
	pause := life.NewBackoff(m.clock)
	for {
		s, err := m.life.Session(ctx, m.failed)
		if err != nil {
			m.ended()
			return
		}
		begun := m.clock.Now()
		err = m.follow(ctx, s)
		if ctx.Err() != nil {
			m.ended()
			return
		}
		m.failed(err)
		switch {
		case m.unreadable(err):
			m.update(func() { m.err = &recipe.PermanentError{Path: m.path, Err: err} })
			return
		case m.clock.Now().Sub(begun) > s.LeaseTime():
			pause.Reset()
		default:
			_ = pause.Wait(ctx)
		}
	}
}

// ended tells Next that the client or the Members was closed.
func (m *Members) ended() {
	err := cmp.Or(m.life.Closed(), fmt.Errorf("group: %s: the Members was closed: %w", m.path, session.ErrClosed))
	m.update(func() { m.err = err })
}

// unreadable reports whether the group cannot be read at all. If it could be read before, it may be
// hidden only for a while.
func (m *Members) unreadable(err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.known && session.Permanent(err)
}

func (m *Members) failed(err error) { m.update(func() { m.failure = err }) }

func (m *Members) signal() { notify.Signal(m.wake) }

// update changes what callers wait for, and wakes them.
func (m *Members) update(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.changed.Tell()
}

// publish makes members the present ones. asOf is zero if nothing was proved.
func (m *Members) publish(members []Entry, asOf clock.Instant) {
	m.update(func() {
		m.failure = nil
		if !m.known || !sameMembers(members, m.now.Members) {
			if m.known {
				come, gone, _ := Snapshot{Members: members}.Since(m.now)
				m.joined += uint64(len(come))
				m.left += uint64(len(gone))
			}
			m.now.Members = members
			m.changes++
		}
		m.known, m.now.clock = true, m.clock
		if !asOf.IsZero() {
			m.now.asOf = asOf
			m.now.AsOf = m.clock.Wall().Add(-m.clock.Now().Sub(asOf))
		}
	})
}
