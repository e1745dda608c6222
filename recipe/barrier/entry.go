package barrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// errGone: the own znode is gone.
var errGone = errors.New("barrier: own znode is gone")

// entry is one member on its way in, with its znode.
type entry struct {
	d    *Double
	s    *session.Session
	wake chan struct{}

	path string // of the own znode, "" before it is created
	name string
	own  *session.Watch
	hold *session.Hold
	list *session.Watch

	round  []string      // who is inside
	seen   int           // how many members the list had at the last read
	listed clock.Instant // when the list was read last
	pause  time.Duration // until it may be read again
}

// enter creates the znode and waits until it is counted in and its lease runs.
func (e *entry) enter(ctx context.Context) (*Round, error) {
	if err := e.create(ctx); err != nil {
		return nil, err
	}
	e.own = e.s.Watch(e.path, e.wake)
	e.hold = e.s.Reserve(e.own, e.wake)
	e.list = e.s.Watch(e.d.path, e.wake)
	defer e.list.Stop()
	stopBefore := tenure.StopBefore(e.d.cfg.StopBefore, e.s.LeaseTime())
	timer := clock.NewTimer(e.d.clock)
	defer timer.Stop()
	for {
		if err := e.look(ctx); err != nil {
			return nil, err
		}
		if e.round != nil {
			if lease := e.hold.Lease(); lease != nil && lease.Remaining() > stopBefore {
				return newRound(e, lease, stopBefore), nil
			}
			e.hold.Renew() // a signal comes with the beat
		}
		timer.Reset(e.next())
		select {
		case <-e.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-e.s.Done():
			return nil, e.s.Err()
		}
	}
}

// lacking tells for an error how many members are there.
func (e *entry) lacking() string {
	if e.seen == 0 {
		return "not entered"
	}
	return fmt.Sprintf("%d of %d members are there", e.seen, e.d.n)
}

// create creates the znode, and the path if that is missing.
func (e *entry) create(ctx context.Context) (err error) {
	for {
		e.path, err = e.s.CreatePlace(ctx, e.d.path, memberName, []byte(e.d.cfg.ID), e.d.cfg.ACL)
		if err == nil {
			e.name = e.path[len(e.d.path)+1:]
			return nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		if err := e.s.EnsurePath(ctx, e.d.path, e.d.cfg.ACL); err != nil {
			return err
		}
	}
}

// look finds out what has happened, and does what is due.
func (e *entry) look(ctx context.Context) error {
	if err := e.hold.Err(); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	} else if err != nil || e.own.Deleted() {
		return errGone
	}
	if e.s.State() != session.StateConnected { // the next connection wakes us
		return nil
	}
	if !e.own.Armed() {
		if _, _, err := e.own.Get(ctx); errors.Is(err, zk.ErrNoNode) {
			return errGone
		} else if err != nil {
			return err
		}
	}
	if e.round != nil || e.list.Armed() && !e.stale() || !e.mayList() {
		return nil
	}
	return e.read(ctx)
}

// stale reports whether the list has to be read although its watch has told nothing: an event may
// have got lost.
func (e *entry) stale() bool { return e.listed.Add(e.s.Timeout()).Passed(e.d.clock.Now()) }

// mayList reports whether the list may be read again. A list that lacks many members cannot be
// complete soon, and all who wait read it.
func (e *entry) mayList() bool { return e.listed.Add(e.pause).Passed(e.d.clock.Now()) }

// next returns after what time to look again.
func (e *entry) next() time.Duration {
	now := e.d.clock.Now()
	if e.s.State() != session.StateConnected {
		return e.s.Timeout() // the next connection wakes us
	}
	if e.round == nil && !e.list.Armed() && !e.mayList() {
		return max(e.listed.Add(e.pause).Until(now), time.Millisecond)
	}
	return max(e.listed.Add(e.s.Timeout()).Until(now), time.Millisecond)
}

// view is what the path showed.
type view struct {
	members []string
	version int32 // of the path's data
	there   bool  // "ready" exists
	ready   zk.Stat
	round   round // what it says
}

// read reads the list and "ready", and acts upon it.
func (e *entry) read(ctx context.Context) error {
	for ctx.Err() == nil {
		e.listed = e.d.clock.Now()
		v, err := e.d.view(ctx, e.list.Children, e.s)
		if errors.Is(err, zk.ErrNoNode) { // the path is gone, and our znode with it
			return errGone
		}
		if err != nil {
			return err
		}
		e.seen = len(v.members)
		lacking := time.Duration(max(e.d.n-e.seen-1, 0))
		e.pause = min(lacking*time.Millisecond, e.s.Timeout()/8)
		var ready *round
		if v.there {
			ready = &v.round
		}
		switch decide(e.name, v.members, ready, e.d.n) {
		case actIn:
			if e.round = v.round.names; v.round.foreign {
				e.round = v.members
			}
			return nil
		case actFull:
			return ErrFull
		case actDisagree:
			return fmt.Errorf("%w: the round at %s has %d members, and NewDouble was given %d", ErrDisagree, e.d.path, len(ready.names), e.d.n)
		case actWait:
			return nil
		}
		if again, err := e.count(ctx, v); err != nil || !again {
			return err
		}
	}
	return context.Cause(ctx)
}

// view reads the path by children, which may leave a watch.
func (d *Double) view(ctx context.Context, children func(context.Context) ([]string, zk.Stat, error), s *session.Session) (view, error) {
	for {
		names, stat, err := children(ctx)
		if err != nil {
			return view{}, err
		}
		v := view{version: stat.Version}
		if v.members, v.there = membersOf(names); !v.there {
			return v, nil
		}
		data, ready, err := s.Get(ctx, d.path+"/"+readyName)
		if errors.Is(err, zk.ErrNoNode) {
			continue // it has gone since
		}
		if err != nil {
			return view{}, err
		}
		v.ready, v.round = ready, parseRound(data)
		return v, nil
	}
}

// count lets n members in, if all is as it was read. again tells that it was not. Then the path has
// to be read again.
func (e *entry) count(ctx context.Context, v view) (again bool, err error) {
	chosen := round{names: choose(e.name, v.members, e.d.n)}
	var ops []any
	for _, name := range chosen.names {
		ops = append(ops, &zk.CheckVersionRequest{Path: e.d.path + "/" + name, Version: -1})
	}
	acl := e.d.cfg.ACL
	if acl == nil {
		acl = e.s.ACL()
	}
	fence, ok, err := e.d.fence(ctx, e.s, v)
	if err != nil || !ok {
		return true, err
	}
	ops = append(ops, fence...)
	ops = append(ops, &zk.CreateRequest{Path: e.d.path + "/" + readyName, Data: chosen.encode(), Acl: acl})
	_, err = e.s.Multi(ctx, ops...)
	switch {
	case err == nil:
		e.round = chosen.names
		return false, nil
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion), errors.Is(err, zk.ErrNodeExists):
		return true, nil
	case session.OutcomeOf(err) == session.OutcomeUnknown && e.s.Err() == nil && ctx.Err() == nil:
		return true, clock.Sleep(ctx, e.d.clock, firstDelay) // if it has happened, or still happens, the next one fails
	}
	return false, err
}

// fence returns the operations that make a transaction fail unless the path is as it was read, and
// that delete "ready". ok is false if it is not so already.
func (d *Double) fence(ctx context.Context, s *session.Session, v view) (ops []any, ok bool, err error) {
	data, stat, err := s.Get(ctx, d.path)
	if err != nil || stat.Version != v.version {
		return nil, false, err
	}
	ops = []any{&zk.SetDataRequest{Path: d.path, Data: data, Version: v.version}}
	if v.there {
		ops = append(ops, &zk.DeleteRequest{Path: d.path + "/" + readyName, Version: v.ready.Version})
	}
	return ops, true, nil
}

// abandon deletes the znode of a member that does not enter, in the background. If the client is
// closed meanwhile, the end of its session deletes the znode, too.
func (e *entry) abandon() {
	if e.own != nil {
		e.own.Stop()
		e.hold.Release()
	}
	if e.path != "" {
		e.s.DeleteInBackground(e.path, nil)
	}
}
