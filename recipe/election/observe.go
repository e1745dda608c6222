package election

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

// Observer follows who leads an election, without standing in it. It tells a past state. Only a
// [Term] lets a process act as the leader. It needs READ on the path. If it has no permission to
// read a leader's znode, it reports the leader as hidden, and notices its end within a quarter of
// the session timeout. If it has no permission to read the path from the beginning, it ends with a
// [*recipe.PermanentError]. If it loses that permission later, it goes on: the log says so once
// each time, and the observer tries again at least every 15 s. All methods may be called from any
// goroutine.
type Observer struct {
	client  *session.Client
	path    string
	clock   clock.Clock
	refused func(error) // called once each time that the permission to read the path is lost
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when run has returned

	mu      sync.Mutex // guards what follows
	leader  Candidate
	known   bool
	told    *Candidate    // what Next has returned last
	listed  int64         // zxid of the last change of the list that it was taken from
	written int64         // zxid of the last change of the leader's znode
	behind  clock.Instant // since when lists have been older than listed; zero if they are not
	barred  bool          // refused has been told, and nothing was read since
	err     error         // why observing ended
	changed notify.Change
}

// Observe begins to follow who leads this election, across losses of session, until Close is called
// or the client is closed. An observer costs the ensemble a list and two reads per change of
// leader, and a small read per session timeout. If the path is missing, its creation is noticed
// within a quarter of the session timeout.
func (e *Election) Observe() *Observer {
	return e.observe(func(err error) { e.log.Warn(cannotFollow, "err", err) })
}

// cannotFollow is said when the permission to read the path is lost.
const cannotFollow = "the leader cannot be followed now"

// observe is Observe. It calls refused once each time that the permission to read the path is lost.
func (e *Election) observe(refused func(error)) *Observer {
	ctx, cancel := context.WithCancelCause(e.client.Context())
	o := &Observer{
		client: e.client, path: e.path, clock: e.clock, refused: refused, cancel: cancel,
		done: make(chan struct{}),
	}
	left := e.client.KeepOpen("observer of the election " + e.path)
	go func() {
		defer left()
		defer close(o.done)
		o.run(ctx)
	}()
	return o
}

// Current returns who leads, as far as is known, or the zero Candidate if nobody leads. ok is false
// until that is known for the first time. While there is no permission to read the path, Current
// returns what was known before. It never blocks.
func (o *Observer) Current() (leader Candidate, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leader, o.known
}

// Next returns the present leader the first time it is called, the zero Candidate if nobody leads.
// Later it waits until another leads, or nobody, or until the leader's data have changed since
// Next returned last. It may skip leaders that came and went, but never returns them in another
// order. Use one Observer for each goroutine that calls Next.
//
// The error wraps the cause of ctx, or session.ErrClosed after [Observer.Close] and when the client
// was closed. It is a [*recipe.PermanentError] when there is no permission to read the path from
// the beginning.
func (o *Observer) Next(ctx context.Context) (Candidate, error) {
	for {
		o.mu.Lock()
		leader, err, changed := o.leader, o.err, o.changed.Next()
		news := o.known && (o.told == nil || !o.told.same(leader))
		if news && err == nil {
			o.told = &leader
		}
		o.mu.Unlock()
		switch {
		case err != nil:
			return Candidate{}, err
		case news:
			return leader, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Candidate{}, o.cut(ctx)
		}
	}
}

// cut returns the error for a Next that ctx has ended. It says what is missing, and the reason if
// that is known.
func (o *Observer) cut(ctx context.Context) error {
	lacking := "no other leader"
	if _, known := o.Current(); !known {
		lacking = "the leader is not known yet"
	}
	why := context.Cause(ctx)
	if _, err := o.client.Session(ctx); errors.Is(err, why) {
		why = err // there is no session, and the error tells what is wrong with each server
	}
	return fmt.Errorf("election: %s: %s: %w", o.path, lacking, why)
}

// Close ends the observer and waits until nothing of it is left running.
func (o *Observer) Close() {
	o.cancel(fmt.Errorf("election: %s: the observer was closed: %w", o.path, session.ErrClosed))
	<-o.done
}

// tell makes leader the present one: the first in a list that was changed at listed, with data that
// were written at written. It ignores what is older than what is known already: a new session may
// begin at a server that lags.
func (o *Observer) tell(leader Candidate, listed, written int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.barred = false
	if leader.Hidden && leader.Node == o.leader.Node {
		written = o.written // not known; and what is known of it may be out of date
	}
	if listed < o.listed || leader.Node == o.leader.Node && written < o.written {
		return
	}
	o.listed, o.written = listed, written
	if o.known && o.leader.same(leader) {
		return
	}
	o.leader, o.known = leader, true
	o.changed.Tell()
}

// tellNoPath makes nobody the leader. A missing path has no zxid, so this always counts.
func (o *Observer) tellNoPath() {
	o.mu.Lock()
	listed := o.listed
	o.mu.Unlock()
	o.tell(Candidate{}, listed, 0)
}

func (o *Observer) run(ctx context.Context) {
	pause := life.NewBackoff(o.clock)
	var err error
	for ctx.Err() == nil {
		var s *session.Session
		if s, err = o.client.Session(ctx); err != nil {
			break
		}
		begun := o.clock.Now()
		err = o.observe(ctx, s)
		if life.Permanent(err) && o.over(err) {
			err = &recipe.PermanentError{Path: o.path, Err: err}
			break
		}
		if o.clock.Now().Sub(begun) > s.Timeout() {
			pause.Reset()
		}
		if pause.Wait(ctx) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
	o.changed.Tell()
}

// over reports whether err, after which trying again cannot help, ends the observer. If the
// election could be read before, it may be hidden only for a while.
func (o *Observer) over(err error) bool {
	o.mu.Lock()
	known, again := o.known, o.barred
	o.barred = true
	o.mu.Unlock()
	if known && !again {
		o.refused(err)
	}
	return !known
}

// observe follows the election in one session; it returns why that ended.
func (o *Observer) observe(ctx context.Context, s *session.Session) error {
	if err := s.Sync(ctx, "/"); err != nil {
		return err
	}
	for {
		if err := o.look(ctx, s); err != nil {
			return err
		}
	}
}

// look finds out who leads, tells, and returns when that may have changed.
func (o *Observer) look(ctx context.Context, s *session.Session) error {
	children, stat, err := s.Children(ctx, o.path)
	if errors.Is(err, zk.ErrNoNode) {
		o.tellNoPath()
		return o.awaitCandidate(ctx, s)
	}
	if err != nil {
		return err
	}
	if o.lags(stat.Pzxid, s.Timeout()) {
		return clock.Sleep(ctx, o.clock, s.Timeout()/4)
	}
	names, err := line.Order(ctx, s, o.path, children)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		o.tell(Candidate{}, stat.Pzxid, 0)
		return o.awaitCandidate(ctx, s)
	}
	return o.watchLeader(ctx, s, names[0].Full, stat.Pzxid)
}

// lags reports whether a list is older than what is known already, as from a server that lags
// behind. If lists are older for T, that is no lag: the ensemble's data have gone back to a backup.
// Then what was known is forgotten.
func (o *Observer) lags(listed int64, T time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	switch {
	case listed >= o.listed:
		o.behind = clock.Instant{}
		return false
	case o.behind.IsZero():
		o.behind = now
	case o.behind.Add(T).Passed(now):
		o.behind, o.listed, o.written = clock.Instant{}, 0, 0
		return false
	}
	return true
}

// awaitCandidate returns when somebody stands in line.
func (o *Observer) awaitCandidate(ctx context.Context, s *session.Session) error {
	list := watch.NewChildren(s, o.path)
	defer list.Stop()
	for {
		now, err := list.Next(ctx)
		if err != nil || len(line.Sort(now.Names)) > 0 {
			return err
		}
		if !now.Exists {
			o.tellNoPath()
		}
	}
}

// watchLeader follows the znode of one leader until it is gone. The leader was first in the list of
// that zxid.
func (o *Observer) watchLeader(ctx context.Context, s *session.Session, name string, listed int64) error {
	node := watch.NewNode(s, o.path+"/"+name)
	defer node.Stop()
	for {
		now, err := node.Next(ctx)
		if errors.Is(err, zk.ErrNoAuth) {
			// It leads, although we have no permission to read its znode. The next look finds its
			// end.
			o.tell(Candidate{Node: o.path + "/" + name, Hidden: true}, listed, 0)
			return clock.Sleep(ctx, o.clock, s.Timeout()/4)
		}
		if err != nil || !now.Exists {
			return err
		}
		id, data := ident.Decode(now.Data)
		leader := Candidate{ID: id, Data: data, Node: o.path + "/" + name, Token: now.Stat.Czxid, Session: now.Stat.EphemeralOwner}
		o.tell(leader, listed, now.Stat.Mzxid)
	}
}

// follow sends EventLeaderChanged until stop is called, which waits.
func (e *Election) follow(ctx context.Context) (stop func()) {
	if !e.cfg.FollowLeader {
		return func() {}
	}
	o := e.observe(func(err error) {
		e.log.Warn(cannotFollow, "err", err)
		e.send(Event{Kind: EventFailed, Err: fmt.Errorf("election: "+cannotFollow+": %w", err)})
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var err error
		for err == nil {
			var l Candidate
			if l, err = o.Next(ctx); err == nil {
				e.send(Event{Kind: EventLeaderChanged, Leader: l, Token: l.Token})
			}
		}
		if ctx.Err() == nil && !errors.Is(err, session.ErrClosed) {
			e.log.Error("the leader is not followed any more", "err", err)
			e.send(Event{Kind: EventFailed, Err: fmt.Errorf("election: the leader is not followed any more: %w", err)})
		}
	}()
	return func() { cancel(); <-done; o.Close() }
}
