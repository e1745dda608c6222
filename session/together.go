package session

import (
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"
)

// A process that stands in a thousand elections joins all of them at once, and resigns from
// all of them at once. A thousand single creates or deletes keep the ensemble busy for much
// longer than one multi. So while a request of one kind is under way, further operations of that
// kind are pending. The next request carries them as a batch, all or none. A batch is tried
// once: if it fails, each caller tries its own operation alone and learns what is wrong with it.

// A queue holds the pending operations of one kind. The session's mu guards it.
type queue struct {
	busy    bool // a request of this kind is under way
	pending []*pending
	dirs    map[string]bool // of those that are pending
}

// pending is what one caller wants to have carried out in a batch.
type pending struct {
	ops  []any         // zk's requests, without the chroot
	dir  string        // a batch carries only one of each directory; "": any number
	done chan answered // has room for the one answer
}

type answered struct {
	path string // of a create
	err  error
}

// errAlone is the answer when nothing of a batch was carried out: the caller tries alone.
var errAlone = errors.New("to be tried alone")

// What one request may carry.
const (
	maxTogether      = 1000
	maxBytesTogether = maxRequest / 2
)

func newDelete(ops []any) *pending { return &pending{ops: ops, done: make(chan answered, 1)} }

// newCreate keeps the creates in one directory apart: each znode of a line needs a czxid of its
// own, and the znodes that one request creates have the same.
func newCreate(path string, data []byte, flags int32, acl []zk.ACL) *pending {
	return &pending{
		ops:  []any{&zk.CreateRequest{Path: path, Data: data, Flags: flags, Acl: acl}},
		dir:  path[:strings.LastIndexByte(path, '/')+1],
		done: make(chan answered, 1),
	}
}

// enqueue puts p into the queue, if a request is under way. If it does not, the caller carries
// p out alone. If first is true, no request was under way, and the caller has to call sendQueue
// afterwards.
func (s *Session) enqueue(q *queue, p *pending) (queued, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !q.busy {
		q.busy = true
		return false, true
	}
	if p.dir != "" {
		if q.dirs[p.dir] {
			return false, false
		}
		if q.dirs == nil {
			q.dirs = map[string]bool{}
		}
		q.dirs[p.dir] = true
	}
	q.pending = append(q.pending, p)
	return true, false
}

// nextBatch takes a batch out of the queue. If the queue is empty, no request is under way any
// more.
func (s *Session) nextBatch(q *queue) []*pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.pending) && n < maxTogether && bytes < maxBytesTogether {
		for _, op := range q.pending[n].ops {
			o, _ := operation(op)
			bytes += size(o)
		}
		delete(q.dirs, q.pending[n].dir)
		n++
	}
	batch := q.pending[:n:n]
	if q.pending = q.pending[n:]; len(q.pending) == 0 {
		q.pending = nil // with the data of those that have gone
	}
	q.busy = n > 0
	return batch
}

// sendQueue carries out what is in the queue, in the background.
func (s *Session) sendQueue(q *queue) {
	batch := s.nextBatch(q)
	if len(batch) == 0 {
		return
	}
	alive := s.begin(s.ctx) == nil
	work := func() {
		for ; len(batch) > 0; batch = s.nextBatch(q) {
			s.sendBatch(batch)
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

// sendBatch carries out all of a batch or nothing.
func (s *Session) sendBatch(batch []*pending) {
	if len(batch) == 1 {
		batch[0].done <- answered{err: errAlone}
		return
	}
	var ops []any
	for _, p := range batch {
		ops = append(ops, p.ops...)
	}
	results, err := s.Multi(s.ctx, ops...)
	if err != nil && OutcomeOf(err) == OutcomeNotDone {
		err = errAlone
	}
	i := 0
	for _, p := range batch {
		if err != nil {
			p.done <- answered{err: err}
		} else {
			p.done <- answered{path: results[i].String}
		}
		i += len(p.ops)
	}
}
