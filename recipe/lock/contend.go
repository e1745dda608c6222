package lock

import (
	"context"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// acquire makes a contender that waits until it holds the lock, or only tries to.
func (l *Lock) acquire(ctx context.Context, try bool) (*Held, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if h, err := l.nested(ctx); h != nil || err != nil {
		return h, err
	}
	c := &contender{Lock: l, claim: l.book.Begin(), values: ctx, life: life.Begin(context.WithoutCancel(ctx), l.client, "lock", l.path, l.cfg.ID), try: try}
	return life.Await(ctx, c.life, c.win, func(h *Held, left error) { // the client waits for it in Close
		if left != nil {
			h.at.giveAway(left)
		}
		c.hold(h.at)
	})
}

// contender is one call of Acquire.
type contender struct {
	*Lock
	claim  *claims.Claim
	values context.Context // of the caller; what is held has its values
	life   *life.Life
	last   *life.Failure // why it failed last, or what it waits for
	try    bool
}

// win joins the line and waits in it, again and again until it holds the lock. ctx bounds that.
func (c *contender) win(ctx context.Context, last *life.Failure) (*Held, error) {
	asked := c.clock.Now()
	c.last = last
	var at *holding
	err := c.again(ctx, func() (err error) {
		at, err = c.attempt(ctx)
		return err
	})
	if err != nil {
		c.claim.GaveUp(err == ErrBusy)
		return nil, err
	}
	at.acquired(c.clock.Now().Sub(asked))
	return at.first, nil
}

// again makes attempts until one succeeds, or another would not help.
func (c *contender) again(ctx context.Context, attempt func() error) error {
	return c.life.Attempt(ctx, life.Attempts{Path: c.path, Last: c.last,
		Answer: func(err error) bool { return err == ErrBusy },
		Failed: func(err error, refused bool, delay time.Duration) {
			if refused {
				c.log.Error("cannot join", "err", err)
				return
			}
			c.often.Warn("not in line", "err", err, "retry", delay)
			c.failed(err, delay)
		},
	}, attempt)
}

// attempt joins the line once, and waits until the place is held.
func (c *contender) attempt(ctx context.Context) (*holding, error) {
	s, err := c.life.Session(ctx, c.noSession)
	if err != nil {
		return nil, err
	}
	if c.try {
		if err := c.free(ctx, s); err != nil {
			return nil, err
		}
	}
	st, err := c.join(ctx, s)
	if err != nil {
		return nil, err
	}
	at, err := c.wait(ctx, st)
	if err != nil {
		c.leave(ctx, st, err == line.ErrGone) // not errors.Is: a cause of the user's may wrap anything
		return nil, err
	}
	return at, nil
}

func (c *contender) noSession(err error) {
	c.often.Warn("no session", "err", err)
	c.failed(err, 0)
}

func (c *contender) failed(err error, delay time.Duration) {
	c.claim.Failed(err)
	c.send(Event{Kind: EventFailed, Err: err, Delay: delay})
}

// free returns ErrBusy if somebody who would be ahead stands in the line. The server may lag, so
// free asks it to catch up first. A sync is enough, because ErrBusy may be wrong for a moment. A
// QuorumSync would cost the servers a write for each attempt at a busy lock.
func (c *contender) free(ctx context.Context, s *session.Session) error {
	if err := s.Sync(ctx, c.path); err != nil {
		return err
	}
	names, err := line.List(ctx, s, c.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !c.shared || !name.Shared {
			return ErrBusy
		}
	}
	return nil
}

// join takes a place in the line.
func (c *contender) join(ctx context.Context, s *session.Session) (*stay.Stay, error) {
	st, err := stay.Enter(ctx, s, c.place())
	if err == nil {
		c.joined(st)
	}
	return st, err
}

// place returns the config of a place in the line.
func (c *contender) place() line.Config {
	return line.Config{
		Dir: c.path, Style: c.style, Data: ident.Encode(c.cfg.ID, c.cfg.Data), ACL: c.cfg.ACL,
		Clock: c.clock, Busy: true, Memory: c.memory, Cleanup: c.cfg.Cleanup,
	}
}

func (c *contender) joined(st *stay.Stay) {
	c.claim.Joined(st.S.ID(), st.Path(), st.Position())
	c.log.Debug("joined", "session", feed.Hex(st.S.ID()), "node", st.Path(), "ahead", st.Position())
	c.send(Event{Kind: EventJoined, Session: st.S.ID(), Node: st.Path(), Position: st.Position()})
}

// wait stands in line until the place is held.
func (c *contender) wait(ctx context.Context, st *stay.Stay) (*holding, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	w := tenure.Wait{
		Clock: c.clock, Need: tenure.StopBefore(c.cfg.StopBefore, st.S.LeaseTime()),
		Tell: func(last, now line.Standing) {
			c.tell(st, last, now)
			if c.try && now.Position > 0 {
				giveUp(ErrBusy)
			}
		},
	}
	lease, err := w.Until(ctx, st.S, st)
	if err != nil {
		return nil, err
	}
	tenure.TellCut(c.often, c.cfg.StopBefore, w.Need)
	st.Lead()
	return newHolding(c.values, c.Lock, c.claim, st, held.Config{
		Clock: c.clock, Lease: lease, StopBefore: w.Need, Session: st.S, Node: st.Path(), Token: st.Token(),
	}), nil
}

// tell reports what has changed about the place in the line.
func (c *contender) tell(st *stay.Stay, last, now line.Standing) {
	c.claim.Stands(now.Position, now.Persistent && now.Position <= 1, now.Impaired)
	ahead := now.Ahead
	if ahead != "" {
		ahead = c.path + "/" + ahead
	}
	if now.TookOver != "" {
		node := c.path + "/" + now.TookOver
		c.claim.TookOver()
		c.log.Warn("took over from a silent contender", "session", feed.Hex(st.S.ID()), "node", node)
		c.send(Event{Kind: EventTookOver, Session: st.S.ID(), Node: node})
	}
	if now.Position > 0 {
		c.last.Set(fmt.Errorf("lock: %s: waiting, %d ahead, the nearest is %s", c.path, now.Position, now.Ahead))
	} else if last.Position > 0 {
		c.last.Set(fmt.Errorf("lock: %s: nobody is ahead, but our own lease has not begun", c.path))
	}
	same := last.Ahead == now.Ahead
	if now.Hidden && !(last.Hidden && same) {
		c.log.Warn("no permission to read the znode ahead: its end is noticed later", "node", ahead)
	}
	if now.Persistent && now.Position <= 1 && !(last.Persistent && same && last.Position <= 1) {
		c.log.Warn("the znode ahead is persistent: only deleting it lets others have the lock", "node", ahead)
		c.send(Event{Kind: EventBlocked, Node: ahead})
	}
	if now.Impaired != nil && last.Impaired == nil {
		c.log.Warn("a change of holder may take longer than the lease", "err", now.Impaired)
		c.send(Event{Kind: EventImpaired, Err: now.Impaired})
	}
	if now.Waits > 0 && last.Waits == 0 {
		c.claim.Withheld()
		c.last.Set(fmt.Errorf("lock: next, but the lease of one that has gone without an announcement may run for %v", now.Waits))
		c.log.Info("next, but a lease may run still", "session", feed.Hex(st.S.ID()), "node", st.Path(), "wait", now.Waits)
		c.send(Event{Kind: EventWithheld, Session: st.S.ID(), Node: st.Path(), Delay: now.Waits})
	}
}

// hold keeps what is held until it has ended, has been released or has outlasted DrainTimeout, and
// the znode is gone.
func (c *contender) hold(at *holding) {
	for at != nil {
		c.watch(at)
		next := c.end(at)
		at.claim.Over()
		close(at.left)
		at = next
	}
	c.life.End()
}

// end carries out the end of what is held. If it was downgraded, end returns what is held next.
func (c *contender) end(at *holding) (next *holding) {
	ended := at.Ended()
	at.claim.Ended(ended.Reason)
	at.lock.log.Log(context.Background(), tenure.LevelOf(ended.Reason), "ended", feed.WithErr(ended.Err, "session", feed.Hex(at.st.S.ID()), "token", at.Token(), "reason", ended.Reason.String())...)
	at.lock.send(Event{Kind: EventEnded, Session: at.st.S.ID(), Node: at.Node(), Token: at.Token(), Reason: ended.Reason, Err: ended.Err})
	if d := at.asked(); d != nil {
		late, cancel := stay.Late(c.life.Context(), c.clock) // one bound for both, so that Close does not wait twice
		defer cancel()
		var err error
		if next, err = c.downgraded(late, at); err == nil {
			d.held = next.first
		} else {
			d.err = failedDowngrade(at.st.S, err)
			at.lock.left(at.st, at.st.LeaveBy(late, err == line.ErrGone))
		}
		close(d.done)
		return next
	}
	if ended.Reason != recipe.ReasonNodeDeleted && !c.guard(at).Drain(at.st.S, at.st, at.letGo, c.cfg.DrainTimeout) {
		at.late.Store(true)
		c.log.Warn("the lock was not released in time; giving it away", "waited", c.cfg.DrainTimeout)
	}
	at.Finish()
	at.lock.leave(c.life.Context(), at.st, ended.Reason == recipe.ReasonNodeDeleted)
	return nil
}

// watch returns when what is held has ended.
func (c *contender) watch(at *holding) {
	ctx := c.life.Context()
	defer context.AfterFunc(ctx, func() { at.End(recipe.ReasonClosed, context.Cause(ctx)) })()
	c.guard(at).Until(at.Context(), at.st.S, revocable{at})
}

func (c *contender) guard(at *holding) tenure.Guard {
	return tenure.Guard{
		Clock: c.clock, Held: at.Held,
		Failed: func(err error) { c.often.Warn("cannot check the own znode", "err", err) }, // the lease decides
	}
}

// revocable notices that somebody asks the holder to release the lock.
type revocable struct{ *holding }

func (r revocable) Woken() <-chan struct{} { return r.st.Woken() }

func (r revocable) Step(ctx context.Context, need time.Duration) (line.Standing, error) {
	now, err := r.st.Step(ctx, need)
	if err == nil && now.Revoked {
		r.revoke()
	}
	return now, err
}

// leave ends a place: it deletes the znode, unless it is gone already.
func (l *Lock) leave(ctx context.Context, st *stay.Stay, gone bool) {
	l.left(st, st.Leave(ctx, gone))
}

// left tells that the znode of a place is gone, or why it is not.
func (l *Lock) left(st *stay.Stay, left error) {
	l.log.Debug("left", feed.WithErr(left, "session", feed.Hex(st.S.ID()), "node", st.Path())...)
	l.send(Event{Kind: EventLeft, Session: st.S.ID(), Node: st.Path(), Err: left})
}
