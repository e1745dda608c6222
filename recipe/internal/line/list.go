package line

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// A list is one reading of a line, for all in one session who asked for it before it began. If a thousand
// candidates join at the same time, most of the work would be to list the line and to put the names in
// order for each of them alone.
type list struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when names and err are there
	reading
	err error

	askers int // guarded by lists.mu
}

// reading is what a line looked like.
type reading struct {
	names  []Name        // belongs to all who asked: not to be changed
	at     clock.Instant // when the last answer about the names arrived
	stat   zk.Stat       // of the path when it was listed
	record []byte        // what the path held, before or afterwards
	held   zk.Stat       // of the path then
}

// where is a line as one session sees it. Without the record only the names are read.
type where struct {
	s      *session.Session
	dir    string
	record bool
}

// lists has an entry for every line that is being listed at this moment. The entry is the
// list that comes next, nil if nobody has asked for it.
var lists = struct {
	mu   sync.Mutex
	next map[where]*list
}{next: map[where]*list{}}

// read returns the names in the line, first to last, as they are at some moment after the
// call, and the record, if that is wanted. A list under way may be older: callers that come then
// wait for the next.
func read(ctx context.Context, c clock.Clock, s *session.Session, dir string, record bool) (reading, error) {
	at := where{s, dir, record}
	lists.mu.Lock()
	l, busy := lists.next[at]
	if l == nil {
		l = &list{done: make(chan struct{})}
		l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
		if busy {
			lists.next[at] = l
		} else {
			lists.next[at] = nil
			go at.list(c, l)
		}
	}
	l.askers++
	lists.mu.Unlock()

	select {
	case <-l.done:
		return l.reading, l.err
	case <-ctx.Done():
		at.abandon(l)
		return reading{}, context.Cause(ctx)
	}
}

// list reads the line, again and again while others have asked for it meanwhile.
func (at where) list(c clock.Clock, l *list) {
	for l != nil {
		l.reading, l.err = at.once(l.ctx, c)
		l.cancel()
		close(l.done)
		lists.mu.Lock()
		if l = lists.next[at]; l != nil {
			lists.next[at] = nil
		} else {
			delete(lists.next, at)
		}
		lists.mu.Unlock()
	}
}

// once reads the names and the record at the same time. It does not matter which of the two is older: an
// older record knows less.
func (at where) once(ctx context.Context, c clock.Clock) (r reading, err error) {
	record := make(chan error, 1)
	var data []byte
	var held zk.Stat
	if at.record {
		go func() {
			var err error
			data, held, err = at.s.Get(ctx, at.dir)
			record <- err
		}()
	} else {
		record <- nil
	}
	r, err = at.names(ctx, c)
	failed := <-record
	r.record, r.held = data, held
	return r, goneIfNoNode(cmp.Or(err, failed))
}

// names lists the line, and tells when the last answer about the names arrived.
func (at where) names(ctx context.Context, c clock.Clock) (r reading, err error) {
	children, stat, err := at.s.Children(ctx, at.dir)
	if err != nil {
		return reading{}, err
	}
	names, err := Order(ctx, at.s, at.dir, children)
	return reading{names: names, stat: stat, at: c.Now()}, err // not earlier: Order leaves out those who have gone since
}

// abandon drops one waiter. The last one cancels the reads and waits for that.
func (at where) abandon(l *list) {
	lists.mu.Lock()
	l.askers--
	last, begun := l.askers == 0, lists.next[at] != l
	if last && !begun {
		lists.next[at] = nil
	}
	lists.mu.Unlock()
	if last {
		l.cancel()
		if begun {
			<-l.done
		}
	}
}

// List returns the names in a line, first to last, as one server sees them. A path that is missing
// has none.
func List(ctx context.Context, s *session.Session, dir string) ([]Name, error) {
	children, _, err := s.Children(ctx, dir)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return Order(ctx, s, dir, children)
}
