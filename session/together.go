package session

import (
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"
)

// A process that stands in a thousand elections joins them all at once, and resigns from
// all of them at once. A thousand creates or deletes keep the ensemble busy for much
// longer than one multi. So while a request of one kind is under way, what others want
// meanwhile gathers, and goes in one request. It is tried once: should it fail, each
// one's caller finds out alone what stands in the way.

// A gathering is what gathers of one kind. The session's mu guards it.
type gathering struct {
	busy  bool // one is under way
	queue []*wish
	dirs  map[string]bool // of those in the queue
}

// A wish is an operation that is to be carried out together with others.
type wish struct {
	ops  []any        // zk's requests, without the chroot
	dir  string       // of two wishes with the same one only one goes into a request; "": with whatever others
	done chan granted // has room for the one answer
}

type granted struct {
	path string // of a create
	err  error
}

// errAlone is the answer to a wish of which nothing was done.
var errAlone = errors.New("to be tried alone")

// What one request may carry.
const (
	maxTogether      = 1000
	maxBytesTogether = maxRequest / 2
)

func newDelete(ops []any) *wish { return &wish{ops: ops, done: make(chan granted, 1)} }

// newCreate keeps those of one directory apart: each znode of a line has to have a czxid of
// its own, and those of one request share theirs.
func newCreate(path string, data []byte, flags int32, acl []zk.ACL) *wish {
	return &wish{
		ops:  []any{&zk.CreateRequest{Path: path, Data: data, Flags: flags, Acl: acl}},
		dir:  path[:strings.LastIndexByte(path, '/')+1],
		done: make(chan granted, 1),
	}
}

// gather puts a wish into the queue, if a request is under way. If it does not, the
// caller carries it out alone; where first is true none was under way, and the caller
// owes a call of carryOut afterwards.
func (s *Session) gather(g *gathering, w *wish) (queued, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !g.busy {
		g.busy = true
		return false, true
	}
	if w.dir != "" {
		if g.dirs[w.dir] {
			return false, false
		}
		if g.dirs == nil {
			g.dirs = map[string]bool{}
		}
		g.dirs[w.dir] = true
	}
	g.queue = append(g.queue, w)
	return true, false
}

// next takes some out of the queue. When it is empty, the next wish is carried out alone.
func (s *Session) next(g *gathering) []*wish {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < len(g.queue) && n < maxTogether && bytes < maxBytesTogether {
		for _, op := range g.queue[n].ops {
			bytes += size(op)
		}
		delete(g.dirs, g.queue[n].dir)
		n++
	}
	batch := g.queue[:n:n]
	if g.queue = g.queue[n:]; len(g.queue) == 0 {
		g.queue = nil // with the data of those that have gone
	}
	g.busy = n > 0
	return batch
}

// carryOut carries out what has come into the queue, in the background.
func (s *Session) carryOut(g *gathering) {
	batch := s.next(g)
	if len(batch) == 0 {
		return
	}
	alive := s.begin(s.ctx) == nil
	work := func() {
		for ; len(batch) > 0; batch = s.next(g) {
			s.grant(batch)
		}
	}
	if !alive {
		work() // does not wait for anything
		return
	}
	go func() {
		defer s.calls.Done()
		work()
	}()
}

// grant carries out all or none.
func (s *Session) grant(batch []*wish) {
	if len(batch) == 1 {
		batch[0].done <- granted{err: errAlone}
		return
	}
	var ops []any
	for _, w := range batch {
		ops = append(ops, w.ops...)
	}
	results, err := s.Multi(s.ctx, ops...)
	if err != nil && OutcomeOf(err) == NotDone {
		err = errAlone
	}
	i := 0
	for _, w := range batch {
		if err != nil {
			w.done <- granted{err: err}
		} else {
			w.done <- granted{path: results[i].String}
		}
		i += len(w.ops)
	}
}
