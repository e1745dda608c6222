package session

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
)

// While a request of one kind is under way, further operations of that kind are pending. The next
// request carries them as a batch, all or none. A batch is tried once: if it is refused, each
// caller tries its own operation alone and learns what is wrong with it. The reason: a process that
// takes part in a thousand elections joins all of them at once, resigns from all of them at once,
// and takes over all of them at once. A thousand single creates or deletes keep the ensemble busy
// for much longer than one multi.

// A batcher carries out operations of one kind. The session's mu guards it.
type batcher struct {
	s       *Session
	busy    bool // a request of this kind is under way
	pending []*pending
	dirs    map[string]bool // of the pending operations
	// opening, if it is set, returns operations that each batch begins with. If alone is true,
	// there can be no batch now, and each caller tries alone. If there is an error, all fail.
	opening func() (ops []any, alone bool, err error)
	// multi is Session.Multi or Session.FencedMulti.
	multi func(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
}

// pending is the operation of one caller. The caller sets all fields but done.
type pending struct {
	op, path string // for errors
	ops      []any  // zk's requests, without the chroot
	// dir, if it is set, is where a znode of a line is created. A batch carries only one create for
	// each directory: the znodes that one request creates have the same czxid, and a znode of a
	// line needs a czxid of its own.
	dir string
	// alone makes one attempt without a batch. It returns the path that was created, if any.
	alone func() (string, error)

	done chan answered // has room for one answer
}

type answered struct {
	path  string // that was created, if any
	err   error
	alone bool // nothing was carried out, and the caller has to try alone
}

// What one request may carry.
const (
	maxTogether      = 1000
	maxBytesTogether = maxRequest / 2
)

// do makes one attempt, alone or in a batch. It returns the path that was created, if any. Its
// error tells the outcome of p. If ctx ends before the answer, do returns at once, and the outcome
// is unknown.
func (b *batcher) do(ctx context.Context, p *pending) (path string, err error) {
	p.done = make(chan answered, 1)
	queued, first := b.enqueue(p)
	if first {
		defer b.flush()
	}
	if !queued {
		return p.alone()
	}
	select {
	case a := <-p.done:
		if a.alone {
			return p.alone()
		}
		return a.path, a.err
	case <-ctx.Done():
		return "", p.unknown(endOf(ctx))
	}
}

func (p *pending) unknown(err error) error {
	return &Error{Op: p.op, Path: p.path, Outcome: OutcomeUnknown, Err: err}
}

// enqueue adds p to the pending operations if a request is under way. If queued is false, the
// caller carries p out alone. If first is true, no request was under way, and the caller has to
// call flush afterwards.
func (b *batcher) enqueue(p *pending) (queued, first bool) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if !b.busy {
		b.busy = true
		return false, true
	}
	if p.dir != "" {
		if b.dirs[p.dir] {
			return false, false
		}
		if b.dirs == nil {
			b.dirs = map[string]bool{}
		}
		b.dirs[p.dir] = true
	}
	b.pending = append(b.pending, p)
	return true, false
}

// next takes a batch of the pending operations. If there are none, no request is under way any
// more.
func (b *batcher) next() []*pending {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	n, bytes := 0, 0
	for n < len(b.pending) && n < maxTogether && bytes < maxBytesTogether {
		for _, op := range b.pending[n].ops {
			o, _ := operation(op)
			bytes += size(o)
		}
		delete(b.dirs, b.pending[n].dir)
		n++
	}
	batch := b.pending[:n:n]
	if b.pending = b.pending[n:]; len(b.pending) == 0 {
		b.pending = nil // so that the data of earlier batches can be freed
	}
	b.busy = n > 0
	return batch
}

// flush carries out what is pending, in the background.
func (b *batcher) flush() {
	batch := b.next()
	if len(batch) == 0 {
		return
	}
	work := func() {
		for ; len(batch) > 0; batch = b.next() {
			b.carryOut(batch)
		}
	}
	if b.s.begin(b.s.ctx) != nil {
		work() // the session is over: it does not wait for anything
		return
	}
	go func() {
		defer b.s.calls.Done()
		work()
	}()
}

// carryOut carries out all operations of a batch, or none.
func (b *batcher) carryOut(batch []*pending) {
	var ops []any
	var err error
	alone := len(batch) == 1
	if !alone && b.opening != nil {
		ops, alone, err = b.opening()
	}
	if alone || err != nil {
		for _, p := range batch {
			a := answered{alone: alone}
			if err != nil {
				a.err = &Error{Op: p.op, Path: p.path, Outcome: OutcomeNotDone, Err: err}
			}
			p.done <- a
		}
		return
	}
	i := len(ops) // of the first operation of p
	for _, p := range batch {
		ops = append(ops, p.ops...)
	}
	results, err := b.multi(b.s.ctx, ops...)
	for _, p := range batch {
		switch {
		case err == nil:
			p.done <- answered{path: results[i].String}
		case OutcomeOf(err) == OutcomeNotDone:
			p.done <- answered{alone: true}
		default:
			p.done <- answered{err: p.unknown(errors.Unwrap(err))}
		}
		i += len(p.ops)
	}
}
