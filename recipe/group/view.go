package group

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// view is a group as one session sees it. It belongs to one goroutine.
type view struct {
	m       *Members
	s       *session.Session
	list    *session.Watch
	listed  bool // by the watch that stands
	missing bool // there is no path
	stat    zk.Stat
	seen    map[string]*seen // by name
	checked clock.Instant    // when what no watch tells was asked last
	proved  clock.Instant    // when the latest proof began
}

// seen is one znode of the list.
type seen struct {
	watch  *session.Watch
	entry  Entry
	member bool // an ephemeral znode
	hidden bool // it cannot be read, and so not be watched
}

// follow follows the group in one session, and returns why that ended.
func (m *Members) follow(ctx context.Context, s *session.Session) error {
	v := &view{m: m, s: s, list: s.Watch(m.path, m.wake), seen: map[string]*seen{}}
	defer v.stop()
	timer := clock.NewTimer(m.clock)
	defer timer.Stop()
	for {
		if s.State() == session.StateConnected { // else the next connection wakes us
			if err := v.update(ctx); err != nil {
				return err
			}
		}
		timer.Reset(v.next())
		select {
		case <-m.wake:
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.Done():
			return s.Err()
		}
	}
}

// update does what is due, and publishes what it has found.
func (v *view) update(ctx context.Context) error {
	var asOf clock.Instant
	if v.mustProve() {
		// Everything that is read after the answer, or was watched when it came, is at least as
		// new.
		asOf = v.m.clock.Now()
		if _, err := v.s.QuorumSync(ctx, v.m.path); err != nil {
			return err
		}
	}
	if err := v.refresh(ctx, !asOf.IsZero()); err != nil {
		return err
	}
	if !asOf.IsZero() {
		v.proved = asOf
	}
	v.m.publish(v.members(), asOf)
	return nil
}

func (v *view) stop() {
	v.list.Stop()
	for _, z := range v.seen {
		z.watch.Stop()
	}
}

// mustProve reports whether a proof is due: the first in this session, the next, or one that
// somebody has asked for. Without the first one, a session that begins at a server that lags would
// show an earlier state.
func (v *view) mustProve() bool {
	v.m.mu.Lock()
	asked := v.m.asked
	v.m.mu.Unlock()
	now := v.m.clock.Now()
	return v.proved.IsZero() || !asked.IsZero() && !asked.Reached(v.proved) ||
		v.m.prove > 0 && v.proved.Add(v.m.prove).Passed(now)
}

// next returns after what time something is due.
func (v *view) next() time.Duration {
	now := v.m.clock.Now()
	wait := v.s.Timeout()
	if v.s.State() != session.StateConnected {
		return wait // the next connection wakes us
	}
	if v.missing || !v.list.Armed() {
		wait /= 4
	}
	if v.m.prove > 0 {
		wait = min(wait, v.proved.Add(v.m.prove).Until(now))
	}
	return max(wait, time.Millisecond)
}

// refresh reads what may have changed. If check is true, it also asks whether the list is what it
// was, even if the watch has told of no change.
func (v *view) refresh(ctx context.Context, check bool) error {
	now := v.m.clock.Now()
	if check || v.checked.Add(v.s.Timeout()).Passed(now) {
		v.checked = now
		v.recheckHidden()
		if v.listed && v.list.Armed() {
			stat, ok, err := v.s.Exists(ctx, v.m.path)
			if err != nil {
				return err
			}
			v.listed = ok && sameList(stat, v.stat)
		}
	}
	if !v.listed || !v.list.Armed() {
		if err := v.readList(ctx); err != nil {
			return err
		}
	}
	return v.readMembers(ctx)
}

func sameList(a, b zk.Stat) bool {
	return a.Czxid == b.Czxid && a.Pzxid == b.Pzxid && a.Cversion == b.Cversion && a.NumChildren == b.NumChildren
}

// readList reads the list. It begins to watch new members, and ends to watch those that are gone.
func (v *view) readList(ctx context.Context) error {
	names, stat, err := v.list.Children(ctx)
	v.missing = errors.Is(err, zk.ErrNoNode)
	if err != nil && !v.missing {
		return err
	}
	v.listed, v.stat = !v.missing, stat
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
		if v.seen[name] == nil {
			v.seen[name] = &seen{watch: v.s.Watch(v.m.path+"/"+name, v.m.wake), entry: Entry{Node: v.m.path + "/" + name}}
		}
	}
	for name, z := range v.seen {
		if !there[name] {
			z.watch.Stop()
			delete(v.seen, name)
		}
	}
	return nil
}

// maxReads bounds the reads of members that are outstanding at the same time.
const maxReads = 32

// readMembers reads the members whose znodes are not watched, such as those that have changed.
func (v *view) readMembers(ctx context.Context) error {
	var (
		mu    sync.Mutex // guards first
		first error
		reads sync.WaitGroup
		slots = make(chan struct{}, maxReads)
	)
	for name, z := range v.seen {
		if z.watch.Armed() || z.hidden {
			continue
		}
		slots <- struct{}{}
		reads.Go(func() {
			defer func() { <-slots }()
			if err := z.read(ctx, name); err != nil {
				mu.Lock()
				first = cmp.Or(first, err)
				mu.Unlock()
			}
		})
	}
	reads.Wait()
	return first
}

// read reads one znode.
func (z *seen) read(ctx context.Context, name string) error {
	data, stat, err := z.watch.Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode): // the list tells about it, if it has not yet
		z.member = false
		return nil
	case errors.Is(err, zk.ErrNoAuth):
		z.hidden, z.member = true, true
		z.entry = Entry{ID: name, Node: z.entry.Node, Err: err}
		return nil
	case err != nil:
		return err
	}
	id, payload := decode(name, data)
	z.hidden, z.member = false, ephemeral(stat)
	z.entry = Entry{
		ID: id, Data: payload, Node: z.entry.Node, Token: stat.Czxid, Session: stat.EphemeralOwner,
		Joined: time.UnixMilli(stat.Ctime), mzxid: stat.Mzxid,
	}
	return nil
}

// ephemeral reports whether a znode ends with a session. Containers have an owner of their own.
func ephemeral(stat zk.Stat) bool {
	return stat.EphemeralOwner != 0 && stat.EphemeralOwner != math.MinInt64
}

// recheckHidden lets znodes be read again that could not be read.
func (v *view) recheckHidden() {
	for _, z := range v.seen {
		z.hidden = false
	}
}

// members lists the members in the order in which they have joined.
func (v *view) members() []Entry {
	var all []Entry
	for z := range maps.Values(v.seen) {
		if z.member {
			all = append(all, z.entry)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Token, b.Token), cmp.Compare(a.Node, b.Node))
	})
	return all
}
