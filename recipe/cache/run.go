package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	firstDelay, longestDelay = 50 * time.Millisecond, 2 * time.Second

	// window is how many reads are under way at once until the first complete state; later is how
	// many there are afterwards. So a cache that has to read much again does not delay others.
	window, later = 128, 16

	// many is how many watches make a cache wait for a random part of T/4 before it leaves them on
	// a new connection: otherwise the watches of many caches would come at once.
	many = 1000

	// pollParts is how many times per T a missing path is looked for.
	pollParts = 4
)

// run follows the path in one session after another.
func (c *Cache) run(ctx context.Context) {
	pause := retry.New(c.clock, firstDelay, longestDelay)
	var err error
	for ctx.Err() == nil {
		var s *session.Session
		if s, err = c.client.Session(ctx); err != nil {
			break
		}
		begun := c.clock.Now()
		err = c.follow(ctx, s)
		if ctx.Err() != nil {
			break
		}
		c.note(s, err)
		if end := c.end(err); end != nil {
			err = end
			break
		}
		if c.clock.Now().Sub(begun) > s.Timeout() {
			pause.Reset()
		}
		if pause.Wait(ctx) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.root, c.nodes, c.bytes, c.queue = &node{}, 0, 0, nil
	c.changes.order.Init()
	clear(c.changes.pending)
	c.settled.Tell()
}

// note notes a failure for Status and for those who wait. The client itself logs the end of a
// session.
func (c *Cache) note(s *session.Session, err error) {
	c.mu.Lock()
	c.failure = err
	c.mu.Unlock()
	if s.Err() == nil {
		c.often.Warn("cannot follow", "err", err)
	}
}

// end returns why the cache has to end after following has failed, or nil. Once there has been a
// complete state, what no retry can cure may be refused only for a while.
func (c *Cache) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var large *TooLargeError
	switch {
	case errors.As(err, &large):
		return err
	case !c.loaded() && session.Permanent(err):
		return &recipe.PermanentError{Path: c.path, Err: err}
	}
	return nil
}

// follow follows the path in one session; it returns why that ended.
func (c *Cache) follow(ctx context.Context, s *session.Session) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup // goroutines
	// No read of this session comes before the proof's answer, so none is older than what was read
	// in the session before.
	if err := c.prove(ctx, s); err != nil {
		cancel(err)
		return err
	}
	w := s.WatchTree(c.path, c.since, c.whole(), c.wake)
	c.mu.Lock()
	c.watch, c.latest, c.failed = w, 0, nil
	c.mu.Unlock()
	defer func() {
		cancel(nil)
		all.Wait()
		c.since = w.Since() // before the last events: they may be newer, not older
		c.mu.Lock()
		c.hear()
		c.watch = nil
		c.mu.Unlock()
		w.Stop()
	}()
	timer := clock.NewTimer(c.clock)
	defer timer.Stop()
	for {
		for !w.Armed() {
			if err := c.restore(ctx, s, w); err != nil {
				return err
			}
		}
		wait, err := c.advance(ctx, s, &all)
		if err != nil {
			return err
		}
		timer.Reset(wait)
		select {
		case <-c.wake:
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.Done():
			return s.Err()
		}
	}
}

// whole reports whether everything below the path matters. Then one watch can tell of all of it.
func (c *Cache) whole() bool { return c.cfg.Depth == DepthTree && c.cfg.Keep == nil }

// prove makes a transaction that changes nothing. When it is answered, all reads of the session
// that begin afterwards, and the events that come before their answers, tell everything that was
// acknowledged before the proof began.
func (c *Cache) prove(ctx context.Context, s *session.Session) error {
	c.mu.Lock()
	p := proof{begun: c.clock.Now(), wall: c.clock.Wall(), asked: c.asked}
	c.wanted, c.proving = false, true
	c.mu.Unlock()
	_, err := s.QuorumSync(ctx, c.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil { // it is tried again
		c.wanted = true
		return err
	}
	c.proving = false
	c.counts.Proofs++
	c.next = &p
	return nil
}

// restore leaves all watches on the present connection. Nodes that have changed meanwhile get
// something to do.
func (c *Cache) restore(ctx context.Context, s *session.Session, w *session.TreeWatch) error {
	connection, data, children := c.watched(w)
	if len(data)+len(children) >= many {
		err := clock.Sleep(ctx, c.clock, time.Duration(c.clock.Random()*float64(s.Timeout()/4)))
		if err != nil {
			return err
		}
	}
	err := w.Restore(ctx, connection, data, children)
	switch {
	case err == nil:
		return nil
	case s.Err() != nil:
		return s.Err()
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrNoServer), errors.Is(err, zk.ErrSessionMoved):
		return nil // the next call waits for another connection
	}
	c.mu.Lock() // the server does not tell what has changed
	c.each(c.root, c.path, func(n *node, _ string) { c.need(n, c.all(n), c.round) })
	c.mu.Unlock()
	return w.Restore(ctx, connection, nil, nil)
}

// watched returns the znodes whose watches are to be left again. The others are going to be read.
func (c *Cache) watched(w *session.TreeWatch) (connection uint64, data, children []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = w.Connection()
	c.counts.Restores++
	c.each(c.root, c.path, func(n *node, path string) {
		switch {
		case n.reading: // it may leave one of its watches on this connection
			c.need(n, c.all(n), c.round)
		case n.todo != 0:
			n.todo = c.all(n)
		case n.known && !n.hidden:
			data = append(data, path)
			if n.listed {
				children = append(children, path)
			}
		}
	})
	return c.latest, data, children
}

// advance does what is due now, and returns how long run can wait for a signal.
func (c *Cache) advance(ctx context.Context, s *session.Session, all *sync.WaitGroup) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.next != nil && c.watch.Armed()
	c.hear() // afterwards: all events before the proof's answer are among them
	if due {
		c.lookAgain()
		c.next.round = c.round
		c.round++
		c.proofs, c.next = append(c.proofs, *c.next), nil
		c.settle()
	}
	if c.failed != nil {
		return 0, c.failed
	}
	if c.wanted && !c.proving {
		c.proving = true
		all.Go(func() { c.proveAgain(ctx, s) })
	}
	wait := min(c.poll(s), c.recheck())
	for ; c.readers < min(c.most(), len(c.queue)); c.readers++ {
		w := c.watch
		all.Go(func() { c.reader(ctx, s, w) })
	}
	return wait, nil
}

// most is how many readers there may be.
func (c *Cache) most() int {
	if c.loaded() {
		return later
	}
	return window
}

// lookAgain makes work of what no watch tells of: the path if it is missing, and the znodes that
// the client has no permission to read.
func (c *Cache) lookAgain() {
	if c.root.overtaken = c.root.known && c.root.reading; !c.root.known {
		c.need(c.root, c.all(c.root), c.round)
	}
	for n := range c.hidden {
		c.need(n, c.all(n), c.round)
	}
}

// proveAgain makes a proof for those who wait in Fresh.
func (c *Cache) proveAgain(ctx context.Context, s *session.Session) {
	pause := retry.New(c.clock, firstDelay, longestDelay)
	for err := c.prove(ctx, s); err != nil && s.Err() == nil && ctx.Err() == nil; err = c.prove(ctx, s) {
		c.note(s, err)
		if pause.Wait(ctx) != nil {
			break
		}
	}
	c.poke()
}

// poll looks for a missing path from time to time. No watch is left on what does not exist.
func (c *Cache) poll(s *session.Session) time.Duration {
	n, now := c.root, c.clock.Now()
	if n.known || n.todo != 0 || n.reading {
		c.pollAt = clock.Instant{}
		return time.Hour
	}
	switch {
	case c.pollAt.IsZero():
		c.pollAt = now.Add(s.Timeout() / pollParts)
	case c.pollAt.Passed(now):
		c.need(n, c.all(n), c.round)
		c.pollAt = clock.Instant{}
		return time.Hour
	}
	return c.pollAt.Until(now)
}

// recheck checks the znodes one after another, for what no event has told.
func (c *Cache) recheck() time.Duration {
	if c.cfg.Recheck < 0 || !c.loaded() {
		return time.Hour
	}
	now := c.clock.Now()
	switch {
	case c.check.IsZero(): // at first; the rounds of many caches do not coincide
		c.check = now.Add(time.Duration(c.clock.Random() * float64(c.cfg.Recheck)))
	case !c.check.Passed(now):
	case len(c.checks) == 0:
		c.each(c.root, c.path, func(n *node, _ string) { c.checks = append(c.checks, n) })
		fallthrough
	default:
		n := c.checks[0]
		c.checks[0] = nil
		c.checks = c.checks[1:]
		c.need(n, getStat, c.round)
		c.check = now.Add(c.cfg.Recheck / time.Duration(max(c.nodes, 1)))
	}
	return c.check.Until(now)
}
