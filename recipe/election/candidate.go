package election

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// A candidacy is one stay in the line: one znode in one session.
type candidacy struct {
	s        *session.Session
	place    *line.Place
	hold     *session.Hold // while heir or leader
	unlisten func()        // ends the reports of the session's state
	blocked  string        // the znode ahead that has been reported
	inRun    bool          // its term is Run's, not Campaign's
	begun    clock.Instant
	checked  clock.Instant // when the last periodic check was made
}

// win joins the line and waits in it, as often as it takes to be elected.
func (e *Election) win(ctx context.Context, inRun bool) (*candidacy, *Term, error) {
	for {
		begun := e.clock.Now()
		if err := e.awaitHealthy(ctx); err != nil {
			return nil, nil, err
		}
		c, err := e.join(ctx)
		if err == nil {
			c.inRun = inRun
			var term *Term
			if term, err = e.wait(ctx, c); err == nil {
				return c, term, nil
			}
			// Not errors.Is: what an error of the user's wraps decides nothing.
			e.leave(ctx, c, err == line.ErrGone)
		}
		switch {
		case ctx.Err() != nil || e.client.Context().Err() != nil:
			return nil, nil, e.cut(ctx, err)
		case errors.Is(err, Unhealthy): // whatever Healthy's error wraps
			continue
		case isPermanent(err):
			e.log.Error("cannot join", "err", err)
			e.status.set(e.clock, func(s *Status) { s.Err = err })
			return nil, nil, &PermanentError{e.path, err}
		}
		if e.retry(ctx, begun, err) != nil {
			return nil, nil, e.cut(ctx, err)
		}
	}
}

// cut returns the error for a context, the client's included, that ended while err was
// what stood in the way.
func (e *Election) cut(ctx context.Context, err error) error {
	closed := context.Cause(e.client.Context())
	cause := cmp.Or(context.Cause(ctx), closed)
	switch {
	case closed != nil && isPermanent(closed): // the client closed itself
		return &PermanentError{e.path, closed}
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(cause, context.DeadlineExceeded):
		return err // a deadline is a failure, and this tells what it failed of
	case err == nil || errors.Is(err, cause):
		return cause
	}
	return fmt.Errorf("%w (%v)", cause, err)
}

// join waits for a session and takes a place in the line.
func (e *Election) join(ctx context.Context) (*candidacy, error) {
	e.status.set(e.clock, func(s *Status) { s.State = Joining })
	s, err := e.awaitSession(ctx)
	if err != nil {
		return nil, err
	}
	// Not for ever: a request that the servers do not take has to be told.
	bounded, cancel := e.within(ctx, 2*s.Timeout())
	defer cancel()
	place, err := line.Join(bounded, s, line.Config{
		Dir: e.path, Style: e.cfg.Style.line(), Data: encode(e.cfg.ID, e.cfg.Data), ACL: e.cfg.ACL,
	}, e.wake)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	c := &candidacy{s: s, place: place, begun: now}
	// Not all at once where a process enters a thousand elections.
	c.checked = now.Add(-time.Duration(e.clock.Random() * float64(place.RecheckEvery())))
	e.log.Info("joined", "session", hex(s.ID()), "node", place.Path(), "ahead", place.Position())
	e.status.set(e.clock, func(st *Status) {
		st.State, st.Session, st.Node, st.Err = Waiting, s.ID(), place.Path(), nil
	})
	e.send(Event{Kind: Joined, Session: s.ID(), Timeout: s.Timeout(), Node: place.Path(), Position: place.Position()})
	e.reportState(c) // from here on: not before Joined
	return c, nil
}

// awaitSession waits for a session, and tells now and then that there is none.
func (e *Election) awaitSession(ctx context.Context) (*session.Session, error) {
	patience := e.client.Status().Timeout
	for wait := patience / 3; ; wait = patience {
		bounded, cancel := e.within(ctx, wait)
		s, err := e.client.Session(bounded)
		waited := bounded.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !waited {
			return s, err
		}
		e.log.Warn("no session", "err", err)
		e.status.set(e.clock, func(s *Status) { s.Err = err })
		e.send(Event{Kind: Failed, Err: err})
	}
}

// within bounds ctx by d; the cause says so.
func (e *Election) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := e.clock.AfterFunc(d, func() { cancel(fmt.Errorf("not within %v", d)) })
	return ctx, func() { stop(); cancel(nil) }
}

// wait stands in line until we are first and hold a lease.
func (e *Election) wait(ctx context.Context, c *candidacy) (*Term, error) {
	timer := clock.NewTimer(e.clock)
	defer timer.Stop()
	for {
		if err := e.health.err(); err != nil {
			return nil, &Ended{Unhealthy, err}
		}
		if err := c.check(ctx); err != nil {
			return nil, err
		}
		e.advance(c)
		next := c.recheckIn(e.clock)
		if c.place.Position() == 0 && c.place.Armed() {
			if lease := c.s.Lease(); lease != nil {
				stopBefore := e.stopBefore(c.s.Timeout())
				if lease.Remaining() > stopBefore {
					return e.elected(ctx, c, lease, stopBefore), nil
				}
				// A term would be over at once. The renewal under way brings more, or the
				// lease's end; neither sends a signal.
				next = min(next, c.s.Timeout()/leaseParts)
			}
		}
		if next <= 0 { // now, not before: it must not delay a leadership that is ours
			c.checked = e.clock.Now()
			if err := c.place.Recheck(ctx); err != nil {
				return nil, err
			}
			continue
		}
		timer.Reset(next)
		select {
		case <-e.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.s.Done():
			return nil, c.s.Err()
		}
	}
}

// leaseParts of T is how long to wait before a lease that is too short for a term is
// looked at again: the distance between renewals then.
const leaseParts = 32

// check finds out what has happened to the own znode and to those ahead.
func (c *candidacy) check(ctx context.Context) error {
	if c.hold != nil {
		switch err := c.hold.Err(); {
		case errors.Is(err, zk.ErrNoNode):
			return line.ErrGone
		case err != nil: // it is there, and has to be deleted
			return err
		}
	}
	return c.place.Check(ctx)
}

// recheckIn returns how long it is until what watches should have told is to be asked
// for, as is done now and then.
func (c *candidacy) recheckIn(clk clock.Clock) time.Duration {
	return c.checked.Add(c.place.RecheckEvery()).Until(clk.Now())
}

// advance acts on the place in the line: the heir keeps a lease, so that it can lead
// the moment it is first.
func (e *Election) advance(c *candidacy) {
	position := c.place.Position()
	ahead, persistent := c.place.Nearest()
	if ahead != "" {
		ahead = e.path + "/" + ahead
	}
	e.status.set(e.clock, func(s *Status) { s.Position, s.Ahead = position, ahead })
	if c.place.Hidden() && c.blocked != ahead {
		c.blocked = ahead
		e.log.Warn("the znode ahead must not be read by us: its end is noticed later", "node", ahead)
	}
	if position > 1 {
		return
	}
	if persistent && c.blocked != ahead {
		c.blocked = ahead
		e.log.Warn("the znode ahead is persistent: only deleting it lets others lead", "node", ahead)
		e.send(Event{Kind: Blocked, Node: ahead})
	}
	if c.hold == nil {
		c.hold = c.s.Hold(c.place.Path(), e.wake)
		if position == 1 {
			e.log.Info("heir", "session", hex(c.s.ID()), "node", c.place.Path(), "ahead", ahead)
			e.status.set(e.clock, func(s *Status) { s.State = Inheriting })
			e.send(Event{Kind: Heir, Session: c.s.ID(), Node: c.place.Path(), Position: 1})
		}
	}
}

// stopBefore returns Config.StopBefore for the session timeout T that was granted.
func (e *Election) stopBefore(T time.Duration) time.Duration {
	return min(cmp.Or(e.cfg.StopBefore, T/16), T/4)
}

// elected begins a term.
func (e *Election) elected(ctx context.Context, c *candidacy, lease *session.Lease, stopBefore time.Duration) *Term {
	if stopBefore < e.cfg.StopBefore {
		e.log.Warn("StopBefore is cut to a quarter of the session timeout granted", "asked", e.cfg.StopBefore, "used", stopBefore)
	}
	t := newTerm(ctx, e.clock, lease, stopBefore)
	t.id, t.node, t.token, t.session = e.cfg.ID, c.place.Path(), c.place.Token(), c.s
	t.begun, t.inRun = c.begun, c.inRun
	t.watchLease()
	e.log.Info("elected", "session", hex(c.s.ID()), "node", t.node, "token", t.token)
	e.status.set(e.clock, func(s *Status) { s.State, s.Position, s.Token, s.Ahead, s.term = Leading, 0, t.token, "", t })
	e.send(Event{Kind: Elected, Session: c.s.ID(), Node: t.node, Token: t.token, Deadline: t.Deadline(), Term: t})
	return t
}

// reign watches over a term until it has ended, the work has stopped as far as it is
// waited for, and the znode is gone. stopped is closed when the work has stopped.
func (e *Election) reign(ctx context.Context, c *candidacy, term *Term, stopped <-chan struct{}) {
	e.guard(ctx, c, term)
	ended := term.cause()
	e.log.Info("deposed", withErr(ended.Err, "session", hex(c.s.ID()), "token", term.token, "reason", ended.Reason.String())...)
	e.status.set(e.clock, func(s *Status) { s.State, s.Token, s.LastReason, s.term = Draining, 0, ended.Reason, nil })
	e.send(Event{Kind: Deposed, Session: c.s.ID(), Node: term.node, Token: term.token, Reason: ended.Reason, Err: ended.Err})
	if ended.Reason != NodeDeleted {
		e.drain(c, stopped)
	}
	term.finish()
	e.leave(ctx, c, ended.Reason == NodeDeleted)
}

// guard returns when the term has ended.
func (e *Election) guard(ctx context.Context, c *candidacy, term *Term) {
	defer context.AfterFunc(ctx, func() {
		if closed := context.Cause(e.client.Context()); closed != nil {
			term.end(Closed, closed)
		} else {
			term.end(Cancelled, context.Cause(ctx))
		}
	})()
	timer := clock.NewTimer(e.clock)
	defer timer.Stop()
	for {
		if err := e.health.err(); err != nil {
			term.end(Unhealthy, err)
		}
		// A check may have to wait for a connection; the end of the term ends it.
		err := c.check(term.ctx)
		if c.recheckIn(e.clock) <= 0 {
			c.checked = e.clock.Now() // after an error, too: or this would never sleep
			if err == nil {
				err = c.place.Recheck(term.ctx)
			}
		}
		switch {
		case errors.Is(err, line.ErrGone):
			term.end(NodeDeleted, nil)
		case err != nil && term.ctx.Err() == nil && c.s.Err() == nil:
			e.log.Warn("cannot check the own znode", "err", err) // the lease decides
		}
		timer.Reset(c.recheckIn(e.clock))
		select {
		case <-term.ctx.Done():
			return
		case <-c.s.Done():
			term.end(SessionLost, c.s.Err())
		case <-e.wake:
			term.watchLease()
		case <-timer.C:
		}
	}
}

// drain waits for the work to stop, while the leadership is still ours: another can
// lead only when our znode is gone.
func (e *Election) drain(c *candidacy, stopped <-chan struct{}) {
	select {
	case <-stopped:
		return
	default:
	}
	timer := clock.NewTimer(e.clock)
	defer timer.Stop()
	timer.Reset(e.cfg.DrainTimeout)
	select {
	case <-stopped:
	case <-c.s.Done():
	case <-timer.C:
		e.log.Warn("the work has not stopped in time; giving the leadership away", "waited", e.cfg.DrainTimeout)
	}
}

// leaveFor bounds what a candidate that is told to end spends on its leave.
const leaveFor = 3 * time.Second

// leave ends a candidacy: it deletes the znode, unless it is gone already.
func (e *Election) leave(ctx context.Context, c *candidacy, gone bool) {
	var left error
	switch {
	case gone:
		c.place.Drop()
	case c.s.Err() != nil:
		c.place.Drop()
		left = c.s.Err() // the ensemble may not have noticed yet
	default:
		left = e.remove(ctx, c)
	}
	c.unlisten()
	if c.hold != nil {
		c.hold.Release()
	}
	e.log.Info("left", withErr(left, "session", hex(c.s.ID()), "node", c.place.Path())...)
	e.status.set(e.clock, func(s *Status) { s.Node, s.Position, s.Ahead = "", 0, "" })
	e.send(Event{Kind: Left, Session: c.s.ID(), Node: c.place.Path(), Err: left})
}

// remove deletes the znode and waits until it is gone; not for long when ctx has ended,
// then the session goes on trying, and the error tells why the znode is still there.
func (e *Election) remove(ctx context.Context, c *candidacy) error {
	bound, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	giveUp := func() { cancel(context.DeadlineExceeded) }
	if ctx.Err() != nil {
		defer e.clock.AfterFunc(leaveFor, giveUp)()
	} else {
		defer context.AfterFunc(ctx, func() { clock.Sleep(bound, e.clock, leaveFor); giveUp() })()
	}
	err := c.place.Leave(bound)
	if err != nil {
		c.place.Abandon()
	}
	return err
}

// retry reports a failure and waits before the next attempt.
func (e *Election) retry(ctx context.Context, begun clock.Instant, err error) error {
	if e.clock.Now().Sub(begun) >= e.client.Status().Timeout {
		e.pause.Reset()
	}
	delay := e.pause.Next()
	e.log.Warn("not in line", "err", err, "retry", delay)
	e.status.set(e.clock, func(s *Status) { s.State, s.Err = BackingOff, err })
	e.send(Event{Kind: Failed, Err: err, Delay: delay})
	return clock.Sleep(ctx, e.clock, delay)
}

// rest waits between a term and the next candidacy.
func (e *Election) rest(ctx context.Context, begun clock.Instant) error {
	if e.clock.Now().Sub(begun) >= e.client.Status().Timeout {
		e.pause.Reset()
	}
	e.status.set(e.clock, func(s *Status) { s.State = BackingOff })
	return e.pause.Wait(ctx)
}

// reportState tells when the connection is lost, and when it is back.
func (e *Election) reportState(c *candidacy) {
	suspended := false
	id := c.s.ID()
	c.unlisten = c.s.OnState(func(state session.State) {
		switch {
		case state == session.Suspended:
			suspended = true
			e.send(Event{Kind: Suspended, Session: id})
		case state == session.Connected && suspended:
			e.send(Event{Kind: Resumed, Session: id})
		}
	})
}

func (e *Election) send(ev Event) {
	ev.Time = e.clock.Wall()
	e.events.send(ev)
}

// withErr adds an error to the attributes of a line for the log, if there is one.
func withErr(err error, attrs ...any) []any {
	if err == nil {
		return attrs
	}
	return append(attrs, "err", err)
}

func hex(id int64) string { return fmt.Sprintf("0x%x", uint64(id)) }
