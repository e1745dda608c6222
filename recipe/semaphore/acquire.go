package semaphore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
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

// Acquire waits for a permit. Waiters are served in order. ctx bounds only the wait: when ctx ends
// later, the permit goes on until [Permit.Release].
//
// The context of a permit of the same semaphore makes no difference: Acquire waits for one more. If
// the only permit that could become free is the caller's own, Acquire waits until ctx ends. (Under
// the context of a lock, an Acquire of that lock is an error. Here it is not, because the others
// may release theirs.) Take several at once with AcquireN.
//
// Acquire tries again when a session is lost or a request fails, until ctx ends (the error wraps
// its cause, and tells what it waited for) or the client is closed (the error wraps
// session.ErrClosed). Other errors are a [*SizeError], a [*DataError], and a
// [*recipe.PermanentError] where trying again cannot help. After an error nothing is left: znodes
// that still exist are deleted in the background.
func (s *Semaphore) Acquire(ctx context.Context) (*Permit, error) { return s.AcquireN(ctx, 1) }

// AcquireN waits for n permits at once, which make one Permit. It never holds some of them while it
// waits for the others, so that two AcquireN cannot wait for each other. The error is a
// [*SizeError] if the semaphore has fewer than n permits.
//
// Each of the n has a znode of its own, and a session has room for a limited number. With
// session.Config.EphemeralBytes of 1 MiB, the default, that is for some 10,000, or fewer if their
// paths have more than 100 bytes. If n is larger than 1 and there is no room for n, AcquireN does
// not wait for it: the error matches [session.ErrTooManyEphemerals].
func (s *Semaphore) AcquireN(ctx context.Context, n int) (*Permit, error) {
	if n < 1 {
		return nil, fmt.Errorf("semaphore: AcquireN was given %d; want at least 1", n)
	}
	return s.acquire(ctx, n, false)
}

// TryAcquire acquires a permit if one is free and nobody waits for it, and returns [ErrBusy]
// otherwise. If none is free it writes nothing.
//
// It waits for a session, for answers and for a lease. While the session of a holder that has
// crashed lasts, its permit is not free. When that session has expired, nobody has the permit, but
// the holder may still count it as valid for the rest of its lease. Then TryAcquire waits for 4.25
// s at D = 4 s (17/16 D). If ctx ends earlier, it ends that wait, and the next call begins it
// again. So calls in a loop need a ctx that lasts longer.
//
// Znodes of another kind that somebody has created below the path's directories do not count. But
// each uses up a number, so it costs one such wait when it is new ([EventWithheld]).
//
// What it finds is as new as the call, with two exceptions. A server that has just ceased to lead
// the ensemble does not know that for up to syncLimit ticks. And the server that leads may apply a
// write a moment after another server has acknowledged it. In both cases TryAcquire may return
// ErrBusy although a permit has been released.
func (s *Semaphore) TryAcquire(ctx context.Context) (*Permit, error) { return s.acquire(ctx, 1, true) }

// acquiring is one Acquire at work. It goes on until it has cleaned up, also if its caller has
// left.
type acquiring struct {
	*Semaphore
	claim  *claims.Claim
	life   *life.Life
	values context.Context // of the caller, for the permit's context
	begun  clock.Instant
	n      int
	try    bool
	last   *life.Failure // why it failed last, or what it waits for
}

func (s *Semaphore) acquire(ctx context.Context, n int, try bool) (*Permit, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a := &acquiring{s, s.book.Begin(), life.Begin(context.WithoutCancel(ctx), s.client, "semaphore", s.path, s.cfg.ID), ctx, s.clock.Now(), n, try, nil}
	win := func(ctx context.Context, last *life.Failure) (*Permit, error) {
		a.last = last
		p, err := a.win(ctx)
		if err != nil {
			a.claim.GaveUp(err == ErrBusy)
		}
		return p, err
	}
	return life.Await(ctx, a.life, win, func(p *Permit, left error) { // the client waits for it in Close
		if left != nil { // nobody will use it
			p.held.End(recipe.ReasonCancelled, left)
			p.release()
		}
		p.keep()
	})
}

// win tries until there is a permit.
func (a *acquiring) win(ctx context.Context) (p *Permit, err error) {
	noSession := func(err error) {
		a.often.Warn("no session", "err", err)
		a.failed(err, 0)
	}
	err = a.life.Attempt(ctx, life.Attempts{Path: a.path, Last: a.last, Answer: isAnswer,
		Failed: func(err error, refused bool, delay time.Duration) {
			if refused {
				a.log.Error("cannot acquire", "err", err)
				return
			}
			a.often.Warn("not acquired", "err", err, "retry", delay)
			a.failed(err, delay)
		},
	}, func() error {
		s, err := a.life.Session(ctx, noSession)
		if err == nil {
			p, err = a.attempt(ctx, s)
		}
		return err
	})
	return p, err
}

func (a *acquiring) failed(err error, delay time.Duration) {
	a.claim.Failed(err)
	a.send(Event{Kind: EventFailed, Err: err, Delay: delay})
}

// isAnswer reports whether an error is an answer for the caller, not a failed attempt.
func isAnswer(err error) bool {
	var size *SizeError
	var data *DataError
	var room *roomError
	return err == ErrBusy || errors.As(err, &size) || errors.As(err, &data) || errors.As(err, &room)
}

// attempt tries once, in one session: without the line if nobody waits and there is room, otherwise
// in the line.
func (a *acquiring) attempt(ctx context.Context, s *session.Session) (*Permit, error) {
	bounded, cancel := life.Within(ctx, a.clock, 2*s.Timeout()) // so that a request that is never answered is reported
	err := a.room(bounded, s)
	cancel()
	if err == nil {
		var p *Permit
		if p, err = a.enter(ctx, s, false); err == nil {
			return p, nil
		}
	}
	if a.try || err != ErrBusy && err != errInterleaved {
		return nil, err
	}
	return a.standInLine(ctx, s)
}

// room reports ErrBusy if somebody waits, or no permit is free. It writes nothing, unless the path
// is new.
func (a *acquiring) room(ctx context.Context, s *session.Session) error {
	if a.try { // a QuorumSync would cost a write for each attempt at a busy semaphore
		if err := s.Sync(ctx, a.path); err != nil {
			return err
		}
	}
	r, err := a.read(ctx, s)
	if isAnswer(err) || life.Permanent(err) || err == nil && a.n > r.size { // or the server lags
		if _, err := s.QuorumSync(ctx, a.path); err != nil {
			return err
		}
		r, err = a.read(ctx, s)
	}
	if err != nil {
		return err
	}
	if a.n > r.size {
		return &SizeError{Path: a.path, Size: r.size, Want: a.n, permits: true}
	}
	if waiting, err := a.count(ctx, s, a.locks, 0); waiting > 0 || err != nil {
		return cmp.Or(err, ErrBusy)
	}
	if taken, err := a.count(ctx, s, a.leases, r.size-a.n); taken > r.size-a.n || err != nil {
		return cmp.Or(err, ErrBusy)
	}
	return nil
}

// count returns how many znodes a directory has. TryAcquire does not count those that are none of
// the line. For that it has to list them, so it does so only if there are more than most. An
// Acquire that counts too many stands in line, where they do not count.
func (a *acquiring) count(ctx context.Context, s *session.Session, dir string, most int) (int, error) {
	stat, _, err := s.Exists(ctx, dir)
	if n := int(stat.NumChildren); err != nil || n <= most || !a.try {
		return n, err
	}
	names, err := line.List(ctx, s, dir)
	return len(names), err
}

// standInLine waits until all who came before have been served, and then for the permit. The line
// keeps the order. It also saves the servers work, because only one process waits for the permits.
// Admission does not depend on the line.
func (a *acquiring) standInLine(ctx context.Context, s *session.Session) (*Permit, error) {
	st, err := stay.Enter(ctx, s, line.Config{
		Dir: a.locks, Style: line.Lock, Data: ident.Encode(a.cfg.ID, nil), ACL: a.cfg.ACL, Clock: a.clock,
	})
	if errors.Is(err, zk.ErrNoNode) {
		err = a.create(ctx, s)
		if err == nil {
			err = errNoPath
		}
	}
	if err != nil {
		return nil, err
	}
	a.claim.Joined(s.ID(), st.Path(), st.Position())
	a.log.Debug("joined", "session", feed.Hex(s.ID()), "node", st.Path(), "ahead", st.Position())
	a.send(Event{Kind: EventJoined, Session: s.ID(), Node: st.Path(), Position: st.Position()})
	if err = a.reachFront(ctx, st); err != nil {
		a.left(s, st.Path(), st.Leave(ctx, err == line.ErrGone))
		return nil, err
	}
	st.Lead()
	p, err := a.enter(ctx, s, true)
	if err != nil {
		a.left(s, st.Path(), st.Leave(ctx, false))
		return nil, err
	}
	st.Abandon() // the permit need not wait for that
	return p, nil
}

// errNoPath: the path was deleted, and is there again.
var errNoPath = errors.New("semaphore: the path was deleted")

// reachFront stands in line until nobody is ahead.
func (a *acquiring) reachFront(ctx context.Context, st *stay.Stay) error {
	timer := clock.NewTimer(a.clock)
	defer timer.Stop()
	var last line.Standing
	for {
		now, err := st.Step(ctx, 0)
		if err != nil {
			return err
		}
		a.tell(st.S, a.locks, last, now)
		last = now
		if now.Position == 0 {
			return nil
		}
		timer.Reset(now.Next)
		select {
		case <-st.Woken():
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-st.S.Done():
			return st.S.Err()
		}
	}
}

// enter creates the znodes of the permit, and waits until it is admitted, if waits is true. When it
// fails, the znodes are deleted.
func (a *acquiring) enter(ctx context.Context, s *session.Session, waits bool) (*Permit, error) {
	paths, err := a.createPlaces(ctx, s)
	if len(paths) == 0 {
		return nil, err
	}
	bounded, cancel := life.Within(ctx, a.clock, 2*s.Timeout())
	p, found := a.newPlace(bounded, s, paths, waits)
	cancel()
	if err == nil {
		err = found
	}
	var permit *Permit
	if err == nil {
		permit, err = a.hold(ctx, p, waits)
	}
	if err != nil {
		a.leave(ctx, p)
	}
	return permit, err
}

// createPlaces creates the znodes, each by a request of its own: ranks need different czxids. The
// first one is created alone, and is the oldest. When ctx ends, createPlaces waits for the creates
// that are under way: a znode whose create is known can be deleted with an announcement, so that
// nobody waits for it.
func (a *acquiring) createPlaces(ctx context.Context, s *session.Session) (paths []string, err error) {
	ctx, cancel := life.Within(ctx, a.clock, 2*s.Timeout())
	defer cancel()
	through, end := s.SeeThrough(ctx)
	defer end()
	var mu sync.Mutex // guards paths
	create := func(int) error {
		one, err := s.CreatePlaces(through, session.Place{Dir: a.leases, Name: string(line.Permit), Data: ident.Encode(a.cfg.ID, nil), ACL: a.cfg.ACL})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, one...)
		return context.Cause(ctx)
	}
	if err = create(0); err == nil {
		err = atOnce(a.n-1, create)
	}
	if a.n > 1 && errors.Is(err, session.ErrTooManyEphemerals) {
		err = &roomError{a.n, err}
	}
	return paths, err
}

// maxAtOnce bounds the requests about the znodes of one permit that are under way together. If they
// were sent one after another, thousands would take longer than an attempt may take.
const maxAtOnce = 64

// atOnce calls f with each number below n, several at the same time. After an error it begins no
// other call. It returns the first error.
func atOnce(n int, f func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func() {
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			if err := f(i); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		}
	}
	var others sync.WaitGroup
	for range min(n, maxAtOnce) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// hold waits until a permit may be held, and begins to hold it.
func (a *acquiring) hold(ctx context.Context, p *place, waits bool) (*Permit, error) {
	a.claim.Joined(p.s.ID(), p.Path(), 0)
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	w := tenure.Wait{
		Clock: a.clock, Need: tenure.StopBefore(a.cfg.StopBefore, p.s.LeaseTime()),
		Tell: func(last, now line.Standing) {
			a.tell(p.s, a.leases, last, now)
			if !waits && now.Position > 0 && (now.Waits == 0 || !a.try) {
				giveUp(ErrBusy)
			}
		},
	}
	if _, err := w.Until(ctx, p.s, p); err != nil {
		return nil, err
	}
	return a.begin(p, w.Need), nil
}

// begin begins to hold a permit.
func (a *acquiring) begin(p *place, stopBefore time.Duration) *Permit {
	token := int64(0)
	for _, stat := range p.stats {
		token = max(token, stat.Czxid)
	}
	if a.cfg.Slots {
		token = p.taking.token
	}
	tenure.TellCut(a.often, a.cfg.StopBefore, stopBefore)
	p.admitted = true
	p.stopWaiting()
	permit := &Permit{
		sem: a.Semaphore, life: a.life, place: p, claim: a.claim, letGo: make(chan struct{}), left: make(chan struct{}),
		held: held.New(a.values, held.Config{
			Clock: a.clock, Lease: p.leases, StopBefore: stopBefore, Session: p.s, Node: p.Path(), Token: token,
		}),
	}
	permit.held.Watch()
	waited := a.clock.Now().Sub(a.begun)
	a.claim.Held(recipe.Claim{
		Session: p.s.ID(), Node: p.Path(), Token: token, Permits: len(p.paths), Slots: slices.Clone(p.taking.slots),
	}, permit.held, waited)
	attrs := []any{"session", feed.Hex(p.s.ID()), "node", p.Path(), "token", token, "waited", waited}
	if a.cfg.Slots {
		attrs = append(attrs, "slots", slices.Clone(p.taking.slots))
	}
	a.log.Debug("acquired", attrs...)
	a.send(Event{Kind: EventAcquired, Session: p.s.ID(), Node: p.Path(), Token: token, Permit: permit, Waited: waited})
	return permit
}

// leave deletes the znodes of a place.
func (s *Semaphore) leave(ctx context.Context, p *place) {
	s.left(p.s, p.Path(), stay.Leave(ctx, s.clock, p.s, p, false))
}

// left tells that a znode is gone, or why it is not.
func (s *Semaphore) left(at *session.Session, node string, err error) {
	s.log.Debug("left", feed.WithErr(err, "session", feed.Hex(at.ID()), "node", node)...)
	s.send(Event{Kind: EventLeft, Session: at.ID(), Node: node, Err: err})
}

// tell reports what has changed while this call waits for others. Each older permit counts, but in
// the line of other libraries' lock only the nearest one ahead.
func (a *acquiring) tell(s *session.Session, dir string, last, now line.Standing) {
	blocked := func(at line.Standing) bool { return at.Persistent && (dir == a.leases || at.Position <= 1) }
	a.claim.Stands(now.Position, blocked(now), now.Impaired)
	if now.TookOver != "" {
		a.claim.TookOver()
		node := dir + "/" + now.TookOver
		a.log.Warn("took over from a silent session", "session", feed.Hex(s.ID()), "node", node)
		a.send(Event{Kind: EventTookOver, Session: s.ID(), Node: node})
	}
	if blocked(now) && !(blocked(last) && last.Ahead == now.Ahead) {
		node := dir + "/" + now.Ahead
		a.log.Warn("a permit ahead is a persistent znode: only deleting it lets others have the permit", "node", node)
		a.send(Event{Kind: EventBlocked, Session: s.ID(), Node: node})
	}
	if now.Hidden && !(last.Hidden && last.Ahead == now.Ahead) {
		a.tellHidden(dir, now.Ahead)
	}
	if now.Impaired != nil && last.Impaired == nil {
		a.log.Warn("a permit may change hands later than it has to", "err", now.Impaired)
		a.send(Event{Kind: EventImpaired, Session: s.ID(), Err: now.Impaired})
	}
	if now.Position > 0 {
		a.last.Set(fmt.Errorf("semaphore: %s: waiting, %d ahead", a.path, now.Position))
	} else if last.Position > 0 {
		a.last.Set(fmt.Errorf("semaphore: %s: nobody is ahead, but our own lease has not begun", a.path))
	}
	if now.Waits > 0 && last.Waits == 0 && dir == a.leases {
		a.claim.Withheld()
		a.last.Set(fmt.Errorf("semaphore: there is room, but the lease of one that has gone without an announcement may run for %v", now.Waits))
		a.log.Info("there is room, but a lease may run still", "session", feed.Hex(s.ID()), "wait", now.Waits)
		a.send(Event{Kind: EventWithheld, Session: s.ID(), Delay: now.Waits})
	}
}

// tellHidden reports that there is no permission to read one ahead. The end of a permit is heard
// from the list, which is watched. Of those who wait, the nearest one has to be polled.
func (a *acquiring) tellHidden(dir, ahead string) {
	if dir == a.locks {
		a.log.Warn("no permission to read the znode ahead: its end is noticed later", "node", dir+"/"+ahead)
		return
	}
	a.log.Warn("no permission to read a permit ahead: nobody is told if it is a persistent znode", "node", dir+"/"+ahead)
}
