package election

import (
	"context"
	"errors"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// win joins the line and waits in it, again and again until it is elected. ctx bounds that.
func (e *Election) win(l *working, ctx context.Context, inRun bool) (*stay.Stay, *Term, error) {
	for {
		begun := e.clock.Now()
		if err := e.awaitHealthy(ctx); err != nil {
			return nil, nil, err
		}
		st, err := e.join(l, ctx)
		if err == nil {
			var term *Term
			if term, err = e.wait(ctx, st, inRun); err == nil {
				return st, term, nil
			}
			// Not errors.Is: an error of the user's may wrap anything.
			e.leave(ctx, st, err == line.ErrGone)
		}
		switch {
		case l.Over(ctx):
			return nil, nil, e.cut(l, ctx, err)
		case errors.Is(err, recipe.ReasonUnhealthy): // no matter what Healthy's error wraps
			continue
		case life.Permanent(err):
			e.log.Error("cannot join", "err", err)
			e.status.set(e.clock, func(s *Status) { s.Err = err })
			return nil, nil, &recipe.PermanentError{Path: e.path, Err: err}
		}
		if e.retry(ctx, begun, err) != nil {
			return nil, nil, e.cut(l, ctx, err)
		}
	}
}

// cut returns the error for work that ended because ctx or the client's context has ended. err is
// why the latest attempt failed.
func (e *Election) cut(l *working, ctx context.Context, err error) error {
	if closed := l.Closed(); life.Permanent(closed) { // the client closed itself
		return &recipe.PermanentError{Path: e.path, Err: closed}
	}
	return l.Cut(ctx, err)
}

// join waits for a session and takes a place in the line.
func (e *Election) join(l *working, ctx context.Context) (*stay.Stay, error) {
	e.status.set(e.clock, func(s *Status) { s.State = StateJoining })
	s, err := l.Session(ctx, func(err error) {
		e.often.Warn("no session", "err", err)
		e.status.set(e.clock, func(s *Status) { s.Err = err })
		e.send(Event{Kind: EventFailed, Err: err})
	})
	if err != nil {
		return nil, err
	}
	st, err := e.enter(ctx, s, line.Config{
		Dir: e.path, Style: e.cfg.Style.line(), Data: ident.Encode(e.cfg.ID, e.cfg.Data), ACL: e.cfg.ACL, Clock: e.clock,
	})
	if err != nil {
		return nil, err
	}
	position, id := st.Position(), s.ID()
	e.log.Info("joined", "session", feed.Hex(s.ID()), "node", st.Path(), "ahead", position)
	e.status.set(e.clock, func(status *Status) {
		status.State, status.Session, status.Node, status.Err, status.Impaired = StateWaiting, s.ID(), st.Path(), nil, nil
	})
	e.send(Event{Kind: EventJoined, Session: s.ID(), Timeout: s.Timeout(), Node: st.Path(), Position: position})
	st.Report(func(connected bool) { // from here on: not before EventJoined
		kind := EventSuspended
		if connected {
			kind = EventResumed
		}
		e.send(Event{Kind: kind, Session: id})
	})
	return st, nil
}

// wait stands in line until we are first and hold a lease.
func (e *Election) wait(ctx context.Context, st *stay.Stay, inRun bool) (*Term, error) {
	w := tenure.Wait{
		Clock: e.clock, Need: tenure.StopBefore(e.cfg.StopBefore, st.S.LeaseTime()), Again: e.wake,
		Ready: func() error {
			if err := e.health.err(); err != nil {
				return &recipe.EndedError{Reason: recipe.ReasonUnhealthy, Err: err}
			}
			return nil
		},
		Tell: func(last, now line.Standing) { e.tell(st, last, now) },
	}
	lease, err := w.Until(ctx, st.S, st)
	if err != nil {
		return nil, err
	}
	return e.elected(ctx, st, lease, w.Need, inRun), nil
}

// tell reports what has changed about the place in the line.
func (e *Election) tell(st *stay.Stay, last, now line.Standing) {
	ahead := now.Ahead
	if ahead != "" {
		ahead = e.path + "/" + ahead
	}
	if last.Position != now.Position || last.Ahead != now.Ahead || now.Position == 0 {
		e.status.set(e.clock, func(s *Status) { s.Position, s.Ahead = now.Position, ahead })
	}
	if now.TookOver != "" {
		node := e.path + "/" + now.TookOver
		e.log.Warn("took over from a silent candidate", "session", feed.Hex(st.S.ID()), "node", node)
		e.send(Event{Kind: EventTookOver, Session: st.S.ID(), Node: node})
	}
	same := last.Ahead == now.Ahead
	if now.Hidden && !(last.Hidden && same) {
		e.log.Warn("no permission to read the znode ahead: its end is noticed later", "node", ahead)
	}
	if now.Persistent && now.Position <= 1 && !(last.Persistent && same && last.Position <= 1) {
		e.log.Warn("the znode ahead is persistent: only deleting it lets others lead", "node", ahead)
		e.send(Event{Kind: EventBlocked, Node: ahead})
	}
	if now.Impaired != nil && last.Impaired == nil {
		e.log.Warn("a change of leader may take longer than the lease", "err", now.Impaired)
		e.status.set(e.clock, func(s *Status) { s.Impaired = now.Impaired })
		e.send(Event{Kind: EventImpaired, Err: now.Impaired})
	}
	if now.Waits > 0 && last.Waits == 0 {
		e.log.Info("first, but a lease may run still", "session", feed.Hex(st.S.ID()), "node", st.Path(), "wait", now.Waits)
		e.send(Event{Kind: EventWithheld, Session: st.S.ID(), Node: st.Path(), Delay: now.Waits})
	}
	if now.Position == 1 && e.Status().State == StateWaiting {
		e.log.Info("heir", "session", feed.Hex(st.S.ID()), "node", st.Path(), "leader", ahead)
		e.status.set(e.clock, func(s *Status) { s.State = StateHeir })
		e.send(Event{Kind: EventHeir, Session: st.S.ID(), Node: st.Path(), Position: 1})
	}
}

// elected begins a term.
func (e *Election) elected(ctx context.Context, st *stay.Stay, lease *session.Lease, stopBefore time.Duration, inRun bool) *Term {
	tenure.TellCut(e.log, e.cfg.StopBefore, stopBefore)
	st.Lead()
	t := newTerm(ctx, e.cfg.ID, held.Config{
		Clock: e.clock, Lease: lease, StopBefore: stopBefore, Session: st.S, Node: st.Path(), Token: st.Token(),
	})
	t.begun, t.inRun = st.Begun, inRun
	t.held.Watch()
	e.log.Info("elected", "session", feed.Hex(st.S.ID()), "node", t.Node(), "token", t.Token())
	e.status.set(e.clock, func(s *Status) { s.State, s.Position, s.Token, s.Ahead, s.term = StateLeading, 0, t.Token(), "", t })
	e.send(Event{Kind: EventElected, Session: st.S.ID(), Node: t.Node(), Token: t.Token(), Deadline: t.Deadline(), Term: t})
	return t
}

// lead keeps a term until it has ended, the work has stopped or has outlasted DrainTimeout, and the
// znode is gone. stopped is closed when the work has stopped.
func (e *Election) lead(l *working, st *stay.Stay, term *Term, stopped <-chan struct{}) {
	ctx := l.Context()
	guard := tenure.Guard{
		Clock: e.clock, Held: term.held,
		Failed: func(err error) { e.often.Warn("cannot check the own znode", "err", err) }, // the lease decides
	}
	e.watch(l, st, term, guard)
	ended := term.held.Ended()
	e.log.Info("deposed", feed.WithErr(ended.Err, "session", feed.Hex(st.S.ID()), "token", term.Token(), "reason", ended.Reason.String())...)
	e.status.set(e.clock, func(s *Status) {
		s.State, s.Token, s.LastReason, s.LastErr, s.term = StateDraining, 0, ended.Reason, ended.Err, nil
	})
	e.send(Event{Kind: EventDeposed, Session: st.S.ID(), Node: term.Node(), Token: term.Token(), Reason: ended.Reason, Err: ended.Err})
	if ended.Reason != recipe.ReasonNodeDeleted && !guard.Drain(st.S, st, stopped, e.cfg.DrainTimeout) {
		what := "giving the leadership away"
		if term.held.Lost() != nil {
			what = "the leadership was lost before"
		}
		e.log.Warn("the work has not stopped in time; "+what, "waited", e.cfg.DrainTimeout)
	}
	term.held.Finish()
	e.leave(ctx, st, ended.Reason == recipe.ReasonNodeDeleted)
}

// late reports an error of the callback that was returned after the term had ended: EventDeposed
// has been sent by then.
func (e *Election) late(term *Term, err error) {
	ended := term.held.Ended()
	cause, canceled := context.Cause(term.Context()), term.Context().Err()
	if err == nil || ended.Reason == recipe.ReasonReturned || err == cause || err == canceled {
		return
	}
	if errors.Is(err, cause) || errors.Is(err, canceled) {
		e.log.Info("the end of the term has cut the callback short", "token", term.Token(), "reason", ended.Reason.String(), "err", err)
		return
	}
	e.log.Warn("the callback has returned an error after the end of its term", "token", term.Token(), "reason", ended.Reason.String(), "err", err)
	e.status.set(e.clock, func(s *Status) { s.LastErr = err })
}

// watch returns when the term has ended.
func (e *Election) watch(l *working, st *stay.Stay, term *Term, guard tenure.Guard) {
	ctx := l.Context()
	defer context.AfterFunc(ctx, func() {
		if closed := l.Closed(); closed != nil {
			term.held.End(recipe.ReasonClosed, closed)
		} else {
			term.held.End(recipe.ReasonCancelled, context.Cause(ctx))
		}
	})()
	// Not in the loop, which may have to wait for a connection.
	defer e.health.watch(func(err error) { term.held.End(recipe.ReasonUnhealthy, err) })()
	guard.Until(term.Context(), st.S, st)
}

// leave ends a stay: it deletes the znode, unless it is gone already. When ctx has ended, it waits
// only as long as a healthy ensemble may take to answer. The rest is done in the background.
func (e *Election) leave(ctx context.Context, st *stay.Stay, gone bool) {
	left := make(chan struct{})
	e.left = left
	notInLine := func() {
		e.status.set(e.clock, func(s *Status) {
			if s.Node == st.Path() { // else it is in line again
				s.Node, s.Position, s.Ahead = "", 0, ""
			}
		})
	}
	go func() {
		defer close(left)
		err := st.Leave(ctx, gone)
		notInLine()
		e.log.Info("left", feed.WithErr(err, "session", feed.Hex(st.S.ID()), "node", st.Path())...)
		e.send(Event{Kind: EventLeft, Session: st.S.ID(), Node: st.Path(), Err: err})
	}()
	bound, cancel := e.linger(ctx)
	defer cancel()
	select {
	case <-left:
	case <-bound.Done():
	}
	notInLine()
}

// retry reports a failure and waits before the next attempt.
func (e *Election) retry(ctx context.Context, begun clock.Instant, err error) error {
	e.resetPause(begun)
	delay := e.pause.Next()
	e.often.Warn("not in line", "err", err, "retry", delay)
	e.status.set(e.clock, func(s *Status) { s.State, s.Err = StateBackingOff, err })
	e.send(Event{Kind: EventFailed, Err: err, Delay: delay})
	return clock.Sleep(ctx, e.clock, delay)
}

// resetPause makes the next delay short if the attempt or stay that began at begun has lasted for a
// lease. So a candidate that loses its lease or its session again and again is not kept out.
func (e *Election) resetPause(begun clock.Instant) {
	if e.clock.Now().Sub(begun) >= e.client.Status().LeaseTime {
		e.pause.Reset()
	}
}

// rest waits between a term and the next stay. A candidate that was asked to resign has not failed,
// so it does not wait. Other candidates wait only as long as somebody else stands in line.
func (e *Election) rest(l *working, term *Term) error {
	if term.held.Ended().Reason == recipe.ReasonReleased {
		return context.Cause(l.Context())
	}
	e.resetPause(term.begun)
	e.status.set(e.clock, func(s *Status) { s.State = StateBackingOff })
	ctx, cancel := life.Within(l.Context(), e.clock, e.pause.Next())
	defer cancel()
	every := min(e.client.Status().LeaseTime/8, longestEmpty)
	for clock.Sleep(ctx, e.clock, every) == nil && !e.surelyEmpty(ctx) {
	}
	return context.Cause(l.Context())
}

// longestEmpty bounds how long a candidate is kept out while nobody stands in line.
const longestEmpty = 100 * time.Millisecond

// surelyEmpty reports whether it is certain that nobody stands in line.
func (e *Election) surelyEmpty(ctx context.Context) bool {
	s, err := e.client.Session(ctx)
	if err != nil {
		return false
	}
	stat, ok, err := s.Exists(ctx, e.path)
	return err == nil && ok && stat.NumChildren == 0
}

func (e *Election) send(ev Event) {
	ev.Time = e.clock.Wall()
	e.events.Send(ev)
}
