package group

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// errGone: the own znode is not there any more, or it is another's.
var errGone = errors.New("group: own znode is gone")

// run keeps the member listed until the membership is over.
func (m *Member) run() {
	unbind := life.EndWith(m.life.Context(), func(cause error) {
		m.quit(&recipe.EndedError{Reason: recipe.ReasonClosed, Err: cause})
	})
	defer m.over(unbind)
	for m.ctx.Err() == nil {
		s, err := m.life.Session(m.ctx, m.failed)
		if err != nil {
			m.quit(&recipe.EndedError{Reason: recipe.ReasonClosed, Err: err})
			return
		}
		begun, before := m.clock.Now(), m.token
		err = m.stayIn(s)
		if s.Err() != nil && m.token != before {
			m.update(func() { m.left = s.Err() }) // the ensemble may not have noticed yet
		}
		switch {
		case m.ctx.Err() != nil:
		case errors.Is(err, ErrReplaced):
			m.update(func() { m.left = nil })
			m.quit(&recipe.EndedError{Reason: recipe.ReasonNodeDeleted, Err: err})
		case !m.joined && session.Permanent(err) && !errors.Is(err, errHidden):
			left := m.clear(s) // an attempt whose answer was lost may have made the znode
			m.update(func() { m.left = left })
			m.quit(&recipe.PermanentError{Path: m.dir, Err: err})
		case m.clock.Now().Sub(begun) >= s.LeaseTime():
			m.pause.Reset()
			m.hasty = false
		case m.token != before && !m.hasty:
			m.hasty = true // at once, but only once in a row
		case s.Err() != nil: // the client waits before it opens another if that is necessary
		default:
			delay := m.pause.Next()
			m.note(err)
			m.tell(Event{Kind: EventFailed, Err: err, Delay: delay})
			_ = clock.Sleep(m.ctx, m.clock, delay)
		}
	}
}

// over ends everything that belongs to the membership.
func (m *Member) over(unbind func() bool) {
	unbind()
	m.tell(Event{Kind: EventOver, Err: context.Cause(m.ctx)})
	m.forget()
	m.life.End() // first: Close of the client waits for the log by itself
	m.lines.Finish(m.clock)
	close(m.done)
}

// failed reports that there is no session.
func (m *Member) failed(err error) {
	m.note(err)
	m.tell(Event{Kind: EventFailed, Err: err})
}

func (m *Member) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failure = err
}

// stay is the time of one znode in one session.
type stay struct {
	m          *Member
	s          *session.Session
	own        *session.Watch
	hold       *session.Hold // nil without a lease
	held       clock.Instant // when hold began
	holdAgain  clock.Instant // when to make another one, because this one was refused; zero if it was not
	token      int64         // the znode's czxid
	stopBefore time.Duration

	version int32
	data    []byte // what the znode holds
	known   bool   // version and data are
	late    int32  // version at which a write may still happen, because its answer was lost; 0: none
	lost    int    // connections, at attempts to write data that a server may find too large
	listing *Listing
}

// stayIn makes the znode in a session, and keeps it until it is gone or the session is over. It
// returns why that ended. When the membership is over it deletes the znode.
func (m *Member) stayIn(s *session.Session) (err error) {
	defer func() {
		if m.ctx.Err() != nil {
			left := m.clear(s)
			m.update(func() { m.left = left })
		}
	}()
	st := &stay{m: m, s: s, stopBefore: tenure.StopBefore(m.cfg.StopBefore, s.LeaseTime())}
	if err := st.enter(); err != nil {
		return err
	}
	st.own = s.Watch(m.node, m.wake)
	defer st.own.Stop()
	if !m.cfg.NoLease {
		tenure.TellCut(m.log, m.cfg.StopBefore, st.stopBefore)
		st.begin()
		defer func() { st.hold.Release() }()
	}
	defer func() { st.unlist(err) }()
	return st.keep()
}

// keep does what is due until the znode is gone.
func (st *stay) keep() error {
	timer := clock.NewTimer(st.m.clock)
	defer timer.Stop()
	for {
		again := st.s.Timeout()
		if st.s.State() == session.StateConnected { // else the next connection wakes us
			var err error
			if err = st.look(st.m.ctx); err == nil {
				again, err = st.write(st.m.ctx)
			}
			if err != nil {
				return err
			}
			if !st.holdAgain.IsZero() {
				again = min(again, st.holdAgain.Until(st.m.clock.Now()))
			}
		}
		st.list()
		var listed <-chan struct{}
		if st.listing != nil {
			listed = st.listing.Context().Done()
		}
		timer.Reset(again)
		select {
		case <-st.m.wake:
		case <-timer.C:
			if err := st.recheck(st.m.ctx); err != nil {
				return err
			}
		case <-listed:
		case <-st.m.ctx.Done():
			return context.Cause(st.m.ctx)
		case <-st.s.Done():
			return st.s.Err()
		}
	}
}

// look finds out whether the znode is still there.
func (st *stay) look(ctx context.Context) error {
	if st.own.Deleted() {
		return errGone
	}
	if st.hold != nil && st.hold.Err() != nil {
		if err := st.unheld(st.hold.Err()); err != nil {
			return err
		}
	}
	if st.known && st.own.Armed() {
		return nil
	}
	data, stat, err := st.own.Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return errGone
	case err != nil:
		return err
	case stat.Czxid != st.token:
		return errGone
	}
	st.version, st.data, st.known = stat.Version, data, true
	return nil
}

// recheck asks whether the znode is as it was: an event may have been lost.
func (st *stay) recheck(ctx context.Context) error {
	if st.s.State() != session.StateConnected {
		return nil
	}
	stat, ok, err := st.s.Exists(ctx, st.m.node)
	if err == nil && (!ok || stat.Czxid != st.token) {
		return errGone
	}
	st.known = st.known && err == nil && stat.Version == st.version
	return err
}

// begin begins to hold the place.
func (st *stay) begin() {
	st.hold, st.held, st.holdAgain = st.s.HoldNamed(st.own, st.token, st.m.wake), st.m.clock.Now(), clock.Instant{}
}

// unheld handles a place that cannot be held. If only a permission is missing, the member stays
// listed without being sure of it, and tries again.
func (st *stay) unheld(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return errGone
	}
	if !st.m.joined {
		return err
	}
	now := st.m.clock.Now()
	switch {
	case st.holdAgain.IsZero():
		if now.Sub(st.held) >= st.s.LeaseTime() {
			st.m.pause.Reset()
		}
		st.unlist(err)
		st.hold.Release()
		delay := st.m.pause.Next()
		st.m.tell(Event{Kind: EventFailed, Err: err, Delay: delay})
		st.holdAgain = now.Add(delay)
	case st.holdAgain.Passed(now):
		st.begin()
	}
	return nil
}

// list begins a listing when the lease runs, and notices the end of one.
func (st *stay) list() {
	if st.listing != nil && st.listing.Context().Err() != nil {
		st.unlist(nil)
		if st.hold != nil {
			st.hold.Renew()
		}
	}
	if st.listing != nil {
		return
	}
	var lease *session.Lease
	if st.hold != nil {
		if lease = st.hold.Lease(); !st.holdAgain.IsZero() || lease == nil || lease.Remaining() <= st.stopBefore {
			return // a signal comes with the next one
		}
	}
	l := st.newListing(lease)
	e := Event{Kind: EventListed, Session: st.s.ID(), Node: st.m.node, Token: st.token}
	st.m.update(func() {
		if st.m.ctx.Err() != nil {
			l.end(reasonOf(context.Cause(st.m.ctx)))
			return
		}
		st.listing, st.m.listing, st.m.failure, st.m.left = l, l, nil, nil
		st.m.count(&e) // Join may return now, and Status tells of the listing
	})
	if st.listing != nil {
		st.m.joined = true
		st.m.send(e)
	}
}

// unlist ends the listing, if there is one, because of err. Without an error the reason is that its
// lease has lapsed.
func (st *stay) unlist(err error) {
	l := st.listing
	if l == nil {
		return
	}
	switch {
	case err == nil: // work in progress has until the end of the lease
	case errors.Is(err, errGone):
		l.end(recipe.ReasonNodeDeleted, nil)
	case st.s.Err() != nil:
		l.end(recipe.ReasonSessionLost, st.s.Err())
	case st.m.ctx.Err() == nil:
		l.end(recipe.ReasonLeaseExpired, err) // nobody checks it any more
	}
	st.listing = nil
	e := Event{Kind: EventUnlisted, Session: st.s.ID(), Node: st.m.node, Token: st.token}
	e.Reason, e.Err = reasonOf(context.Cause(l.Context()))
	st.m.update(func() {
		st.m.listing = nil
		st.m.count(&e)
	})
	st.m.send(e)
}

const (
	// largeData are data that a server may find too large, if somebody has set its limit. It closes
	// the connection then, which costs all who use the session.
	largeData = 8 << 10
	// maxLost is how many connections an attempt to write so much may cost.
	maxLost = 2
	// retryWrite is the time before data are written again that were not refused for good.
	retryWrite = time.Second
)

// write writes the data that the znode has to hold. It returns the time after which to look again.
func (st *stay) write(ctx context.Context) (again time.Duration, err error) {
	m := st.m
	m.mu.Lock()
	data, asked, done := m.data, m.asked, m.written == m.asked
	m.mu.Unlock()
	there := bytes.Equal(data, st.data) && st.version != st.late
	if done && there {
		return st.s.Timeout(), nil
	}
	if !there {
		stat, err := st.s.Set(ctx, m.node, data, st.version)
		if session.OutcomeOf(err) == session.OutcomeUnknown {
			st.late = st.version
		}
		if session.OutcomeOf(err) != session.OutcomeNotDone || errors.Is(err, zk.ErrBadVersion) {
			st.known = false // the next look tells what is there
		}
		switch {
		case err == nil && stat.Czxid != st.token, errors.Is(err, zk.ErrNoNode):
			return 0, errGone
		case err == nil:
			st.version, st.data, st.known = stat.Version, data, true
		case st.s.Err() != nil || ctx.Err() != nil:
			return 0, err
		case errors.Is(err, zk.ErrBadVersion):
			return 0, nil
		case st.refused(err, len(data)):
			if st.lost >= maxLost {
				err = &tooLarge{err}
			}
			st.lost = 0 // they do not count for later data
			if done {   // it was only against the late write
				st.late = 0
				return st.s.Timeout(), nil
			}
			m.update(func() { m.refuse(asked, err) })
			return 0, nil
		default:
			return retryWrite, nil
		}
	}
	st.lost = 0
	if !done { // else a refusal may wait for its caller
		m.update(func() { m.good, m.written, m.refusal = data, asked, nil })
	}
	return st.s.Timeout(), nil
}

// refused reports whether trying again to write data of that size cannot help.
func (st *stay) refused(err error, size int) bool {
	if size >= largeData && errors.Is(err, zk.ErrConnectionClosed) {
		st.lost++
	}
	return session.Permanent(err) || st.lost >= maxLost
}

// refuse goes back to the data before, unless there are later ones. The caller holds m.mu.
func (m *Member) refuse(asked uint64, err error) {
	if m.asked == asked {
		m.data, m.written, m.refusal = m.good, asked, err
	}
}
