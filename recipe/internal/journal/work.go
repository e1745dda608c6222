package journal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	// maxAge is how long what is known of the znode is used without reading it. A znode that was
	// deleted and created again may have the same version: that has to be noticed soon.
	maxAge = time.Second
	// maxBatch is how many changes one write carries.
	maxBatch = 10000

	firstRetry, longestRetry = 20 * time.Millisecond, time.Second
)

// Why a batch is tried again.
var (
	errConflict = errors.New("somebody else has changed the znode first")
	errAgain    = errors.New("it is to be tried again")
)

// work carries out what is in the queue, and returns when it is empty.
func (z *Znode) work(ctx context.Context) {
	for batch := z.take(); batch != nil; batch = z.take() {
		if err := z.carryOut(ctx, batch); err != nil {
			z.fail(batch, err)
		}
	}
}

// take takes a batch out of the queue. A request to drop the journal is a batch of its own. take
// returns nil when the queue is empty: then nobody works any more.
func (z *Znode) take() []*pending {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := min(len(z.queue), 1)
	if z.cfg.Batch {
		n = min(len(z.queue), maxBatch)
		if i := slices.IndexFunc(z.queue[:n], func(p *pending) bool { return p.change == nil }); i >= 0 {
			n = max(i, 1)
		}
	}
	if n == 0 {
		z.queue, z.working = nil, false
		return nil
	}
	batch := z.queue[:n:n]
	z.queue = z.queue[n:]
	return batch
}

// carryOut tries until all changes of the batch are answered. If it fails, it returns an error for
// the others.
func (z *Znode) carryOut(ctx context.Context, batch []*pending) error {
	if batch[0].change == nil {
		err := z.drop(ctx)
		if err == nil {
			z.conclude(batch, 0)
		}
		return err
	}
	failures := retry.New(z.clock, firstRetry, longestRetry)
	for conflicts := 0; ; {
		err := z.try(ctx, batch)
		switch {
		case err == nil:
			return nil
		case err == errConflict:
			conflicts++
			err = z.pauseAfterConflict(ctx, conflicts)
		case err == errAgain:
			err = context.Cause(ctx)
		case ctx.Err() == nil && !final(err):
			err = failures.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// final reports whether the caller gets the error now: another attempt would fail in the same way,
// or somebody has to make room for a journal first.
func final(err error) bool {
	var large *largeError
	return session.Permanent(err) || errors.Is(err, session.ErrTooManyEphemerals) || errors.Is(err, ErrVersion) || errors.As(err, &large)
}

// try makes one attempt at a batch. nil means that all of it is answered.
func (z *Znode) try(ctx context.Context, batch []*pending) error {
	if err := z.pauseAfterWrites(ctx); err != nil {
		return err
	}
	s, err := z.client.Session(ctx)
	if err != nil {
		return err
	}
	// Without a connection a read waits for one, and callers may leave meanwhile with nothing done.
	if z.knownAt == never || z.clock.Now().Sub(z.knownAt) > maxAge || z.known.version == -1 || s.State() != session.StateConnected {
		if err := z.read(ctx, s); err != nil {
			return err
		}
	}
	_, writes, wanted := z.plan(batch, false)
	if wanted && (!writes || z.known.version == -1) { // with a version of -1 a write is refused, too
		// What is read after a quorum's answer is as new as this call. To check the version that is
		// known would not do: a znode that was deleted and created again may have the same. Nor
		// would a sync: a leader that has been replaced answers it.
		if _, err := s.QuorumSync(ctx, z.cfg.Path); err != nil {
			return err
		}
		if err := z.read(ctx, s); err != nil {
			return err
		}
		_, writes, wanted = z.plan(batch, false)
	}
	if !wanted || !writes {
		z.conclude(batch, 0)
		return nil
	}
	b, err := z.open(ctx, s)
	if err != nil {
		return err
	}
	data, writes, _ := z.plan(batch, true)
	if !writes { // the callers that wanted to write have left
		return errAgain
	}
	a := &attempt{batch: batch, before: z.known, data: data}
	z.compose(a, b)
	return z.settle(ctx, s, a)
}

// plan calls each change, one after the other. It returns the data that are to be written, if any,
// and whether anybody waits for more than a Peek. If final is true, the write follows. Then the
// outcome is unknown for a caller that leaves.
//
// A change that returns an error has seen what the znode holds. If it returns an error only because
// of changes before it in the batch, it is called again after the write, because the znode never
// holds a value from within a batch.
func (z *Znode) plan(batch []*pending, final bool) (data []byte, writes, wanted bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	now := z.known
	for _, p := range batch {
		if p.left {
			continue
		}
		p.before, p.after, p.again = z.known, z.known, false
		var next []byte
		if next, p.err = p.change(z.known); p.err == nil && writes {
			next, p.err = p.change(now)
			p.again = p.err != nil
		}
		wanted = wanted || p.err != ErrPeek
		if p.err != nil {
			continue
		}
		data, writes = next, true
		p.before, p.after, p.open = now, State{Exists: true, Data: next}, final
		now = p.after
	}
	return data, writes, wanted
}

// read finds out what the znode holds.
func (z *Znode) read(ctx context.Context, s *session.Session) error {
	began := z.clock.Now()
	data, stat, err := s.Get(ctx, z.cfg.Path)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		z.known = State{}
	case err != nil:
		return err
	default:
		z.known = stateOf(data, stat)
	}
	z.knownAt = began
	return nil
}

// conclude answers a batch that was carried out by the transaction zxid. Changes that are to be
// called again are the first of the next batch.
func (z *Znode) conclude(batch []*pending, zxid int64) {
	z.mu.Lock()
	defer z.mu.Unlock()
	var again []*pending
	for _, p := range batch {
		switch {
		case p.again && !p.left:
			again = append(again, p)
			continue
		case p.open:
			p.after.Zxid = zxid
			z.changes.Add(1)
		}
		close(p.done)
	}
	z.queue = append(again, z.queue...)
}

// fail answers a batch that was not carried out.
func (z *Znode) fail(batch []*pending, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, p := range batch {
		p.err = err
		close(p.done)
	}
}

// concludeUnknown answers the changes of an attempt whose outcome is unknown. The rest of its batch
// are the first of the next batch.
func (z *Znode) concludeUnknown(batch []*pending, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	var rest []*pending
	for _, p := range batch {
		if !p.open && !p.left {
			rest = append(rest, p)
			continue
		}
		if !p.left {
			z.unknown.Add(1)
		}
		p.err = &UnknownError{p.before, p.after, err}
		close(p.done)
	}
	z.queue = append(rest, z.queue...)
}

// withdraw notes that nothing of an attempt has been carried out: its callers may leave.
func (z *Znode) withdraw(batch []*pending) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, p := range batch {
		p.open = false
	}
}
