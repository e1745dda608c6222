package sim

import (
	"context"
	"errors"
	"log/slog"
	"math/rand"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Locks stand beside the elections of a run if its plan has any. Each process has contenders for
// each of them. They hold it for reading or for writing, one after another or all at once. They try
// it, and they give up.

const lockDir = "/l/"

func lockPath(n int) string { return lockDir + strconv.Itoa(n) }

// guarded is what the holder of a lock writes to.
func guarded(path string) string { return "/guarded" + path }

// heldRecord is what is known of something that was acquired.
type heldRecord struct {
	*lock.Held
	again  []*lock.Held // that were acquired under its context
	proc   *proc
	id     string
	shared bool
	over   bool // it was seen not to be valid
}

// lockRecord is what is known of one lock.
type lockRecord struct {
	helds         []*heldRecord // those that may still matter
	token, writer int64         // the largest of all, and of writers
	acquired      int
}

// lockChecker sees everything that happens to the locks, and judges it.
type lockChecker struct {
	*checker
	mu      sync.Mutex // guards what follows
	locks   map[string]*lockRecord
	places  line                 // the znodes of contenders
	askings map[string]*asking   // by znode
	doomed  map[string]time.Time // what was deleted with its whole path, and when: zero if it is about to be
}

func (c *lockChecker) record(path string) *lockRecord {
	r := c.locks[path]
	if r == nil {
		r = &lockRecord{}
		c.locks[path] = r
	}
	return r
}

// valid asks whether something is held. Once it was not, it must not be again.
func (c *lockChecker) valid(h *heldRecord) bool {
	v := h.Valid()
	if v && h.over {
		c.report("overlap", "what %s held with token %d is valid again", h.id, h.Token())
	}
	h.over = !v
	return v
}

// holder returns a process that holds a lock, and what it holds.
func (c *lockChecker) holder(path string) (*proc, tenure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.record(path).helds {
		if h.Valid() && !h.proc.crashed.Load() && !h.proc.clock.paused() {
			return h.proc, h.Held
		}
	}
	return nil, nil
}

// nodeOfHolder returns the znode of what is held of a lock, or "".
func (c *lockChecker) nodeOfHolder(path string) (node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.locks[path]; r != nil {
		for _, h := range r.helds {
			if h.Valid() {
				node = h.Node()
			}
		}
	}
	return node
}

// forget is [checker.forget] for a lock whose path and nodes an administrator is about to delete.
// deleted says whether the path was deleted, with its record: if not, nobody is excused.
func (c *lockChecker) forget(path string, nodes []string) (forgotten func(deleted bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.record(path).helds {
		nodes = append(nodes, h.Node())
	}
	doom := func(at time.Time) {
		for _, node := range nodes {
			c.doomed[node] = at
		}
	}
	doom(time.Time{})
	return func(deleted bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if deleted {
			doom(time.Now())
			return
		}
		for _, node := range nodes {
			delete(c.doomed, node)
		}
	}
}

// excused reports whether the deletion of its path excuses a holder, until one lease after it.
func (c *lockChecker) excused(h *heldRecord) bool {
	at, ok := c.doomed[h.Node()]
	return ok && (at.IsZero() || time.Since(at) < c.lease)
}

// began is called first thing when a lock is held. A hold that came before this one, by the same
// place, is not compared.
func (c *lockChecker) began(p *proc, path, id string, held *lock.Held, shared, downgraded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checker.mu.Lock()
	c.begun(p)
	c.checker.mu.Unlock()
	c.logf("%s holds %s with token %d, shared %v, lease %v", id, path, held.Token(), shared, held.Remaining())
	r := c.record(path)
	r.acquired++
	h := &heldRecord{Held: held, proc: p, id: id, shared: shared}
	before := r.token
	if shared {
		before = r.writer
	}
	if held.Token() <= before && !downgraded {
		c.report("token", "%s holds %s with token %d after %d", id, path, held.Token(), before)
	}
	r.token = max(r.token, held.Token())
	if !shared {
		r.writer = max(r.writer, held.Token())
	}
	c.inOrder(h, path)
	keep := []*heldRecord{h}
	for _, old := range r.helds {
		cancelled, valid := closed(old.Context().Done()) && closed(old.DrainContext().Done()), c.valid(old)
		switch {
		case shared && old.shared || c.excused(old):
		case valid && c.valid(h):
			c.report("overlap", "%s holds %s while %s still does, for %v more", id, path, old.id, old.Remaining())
		case !cancelled && !old.proc.clock.excused(c.lease):
			c.report("context", "%s holds %s while the context or the drain of %s goes on", id, path, old.id)
		}
		if valid || !cancelled {
			keep = append(keep, old)
		}
	}
	r.helds = keep
}

// resumed is called when a process was paused, before any of its timers fires.
func (c *lockChecker) resumed(p *proc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, r := range c.locks {
		for _, h := range r.helds {
			later := r.writer
			if !h.shared {
				later = r.token
			}
			replaced := h.Token() < later && !c.excused(h)
			over := h.Remaining() <= 0 || replaced
			if h.proc == p && over && (c.valid(h) || h.Context().Err() == nil) {
				c.report("pause", "%s finds that it holds %s after the pause", h.id, path)
			}
			if h.proc == p && replaced && h.DrainContext().Err() == nil {
				c.report("pause", "%s finds its drain of %s alive after the pause, and another holds it", h.id, path)
			}
		}
	}
}

// committed sees every transaction: the guarded writes among them.
func (c *lockChecker) committed(commit zktest.Commit) {
	if commit.Err != zktest.CodeOK {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range commit.Changes {
		if isContender(ch.Path) {
			c.written(ch)
			c.placeChanged(ch, commit.Zxid)
		}
		path, ok := strings.CutPrefix(ch.Path, guarded(""))
		if !ok || ch.Op != zktest.OpSetData {
			continue
		}
		token, _ := strconv.ParseInt(string(ch.Data), 10, 64)
		if r := c.record(path); token < r.writer {
			c.report("guard", "the holder with token %d wrote for %s after the one with %d began", token, path, r.writer)
		}
	}
}

func (c *lockChecker) acquisitions(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record(path).acquired
}

// runContenders lets a process contend for all locks until ctx ends.
func (p *proc) runContenders(ctx context.Context, log *slog.Logger, seed int64) {
	rng := rand.New(rand.NewSource(seed))
	var all []*contender
	for n := range p.w.plan.Locks {
		cfg := lock.Config{
			ID: p.name, DrainTimeout: drainTimeout, Logger: log, Cleanup: n%2 == 1, Reentrant: rng.Intn(2) == 0, OnRevoke: p.onRevoke,
		}
		rw, err := lock.NewRW(p.client, lockPath(n), cfg)
		if err != nil {
			panic(err)
		}
		all = append(all, &contender{p: p, rw: rw, reentrant: cfg.Reentrant, rng: rand.New(rand.NewSource(rng.Int63()))})
	}
	for i, c := range all {
		p.running.Go(func() {
			for ctx.Err() == nil {
				var others []*contender
				if c.rng.Intn(8) == 0 {
					others = all[:i]
				}
				c.once(ctx, others)
				clock.Sleep(ctx, p.clock, time.Duration(c.rng.Int63n(int64(2*time.Second))))
			}
		})
	}
}

// contender is one that asks for a lock again and again.
type contender struct {
	p         *proc
	rw        *lock.RW
	reentrant bool
	rng       *rand.Rand
}

// once holds the lock once, in one of the ways that there are. With others it holds theirs, too.
func (c *contender) once(ctx context.Context, others []*contender) {
	read := c.rng.Intn(2) == 0
	l := c.rw.Write()
	if read {
		l = c.rw.Read()
	}
	if c.rng.Intn(3) == 0 { // it gives up
		var cancel context.CancelFunc
		ctx, cancel = clock.WithTimeout(ctx, c.p.clock, time.Duration(c.rng.Int63n(int64(3*time.Second))))
		defer cancel()
	}
	if c.rng.Intn(6) == 0 {
		c.askToLetGo(ctx, l)
	}
	id := c.p.name + " of " + l.Path()
	switch way := c.rng.Intn(4); {
	case len(others) > 0:
		c.all(ctx, l, read, others)
	case way == 0:
		err := l.Do(ctx, func(ctx context.Context, h *lock.Held) error {
			c.p.w.locks.began(c.p, l.Path(), id, h, read, false)
			c.nests(l, h, id, read)
			c.work(ctx, l, read, h)
			return nil
		})
		c.expected(err)
	default:
		acquire := l.Acquire
		if way == 1 {
			acquire = l.TryAcquire
		}
		h, err := acquire(ctx)
		c.expected(err)
		if err != nil {
			return
		}
		c.p.w.locks.began(c.p, l.Path(), id, h, read, false)
		c.nests(l, h, id, read)
		c.work(h.Context(), l, read, h)
		if !read && c.rng.Intn(2) == 0 {
			if h, err = h.Downgrade(ctx); err != nil {
				return
			}
			c.p.w.locks.began(c.p, l.Path(), id+", downgraded", h, true, true)
			c.work(h.Context(), l, true, h)
		}
		h.Release(ctx)
	}
}

// all holds the locks of several contenders at once, for writing besides one.
func (c *contender) all(ctx context.Context, l *lock.Lock, read bool, others []*contender) {
	ls := []*lock.Lock{l}
	for _, o := range others {
		ls = append(ls, o.rw.Write())
	}
	set, err := lock.All(ctx, ls...)
	c.expected(err)
	if err != nil {
		return
	}
	for i, h := range set.Held() {
		c.p.w.locks.began(c.p, ls[i].Path(), c.p.name+" of all", h, read && i == 0, false)
	}
	c.work(set.Context(), l, read, set.Held()...)
	set.Release(ctx)
}

// expected reports an error that no fault explains.
func (c *contender) expected(err error) {
	if err == nil || errors.Is(err, lock.ErrBusy) || expectedEnd(err) {
		return
	}
	c.p.w.check.report("run", "%s: %v", c.p.name, err)
}

// work is a holder's: guarded writes now and then. The first of what it holds is that of l.
func (c *contender) work(ctx context.Context, l *lock.Lock, read bool, helds ...*lock.Held) {
	h, begun, told := helds[0], time.Now(), c.p.w.locks.told(helds...)
	defer func() { c.p.w.locks.stops(begun, helds...) }()
	if c.rng.Intn(40) == 0 {
		c.holdsOn(ctx, told)
	}
	writes := true
	for range c.rng.Intn(4) {
		if !read && c.rng.Intn(2) == 0 {
			token := h.Token()
			_, err := h.Multi(ctx, &zk.SetDataRequest{Path: guarded(l.Path()), Data: []byte(strconv.FormatInt(token, 10)), Version: -1})
			if err == nil && c.p.w.check.undisturbed && !h.Valid() && !closed(told) {
				c.p.w.check.report("run", "%s lost %s without a fault", c.p.name, l.Path())
			}
		}
		pause := time.Duration(c.rng.Int63n(int64(500 * time.Millisecond)))
		pass := func() { clock.Sleep(ctx, c.p.clock, pause) }
		if writes {
			writes = c.p.useRegister(ctx, l.Path(), h, read, pass)
		} else {
			pass()
		}
		if ctx.Err() != nil || closed(told) {
			break
		}
	}
	if c.rng.Intn(10) == 0 { // it is slow to stop
		clock.Sleep(context.Background(), c.p.clock, time.Duration(c.rng.Int63n(int64(time.Second))))
	}
}

// awaitHolders demands that, with all faults over, each lock goes on to change hands.
func (w *world) awaitHolders() {
	bound, want := 4*w.plan.Timeout+2*drainTimeout+30*time.Second, 3
	if w.plan.Wraps || w.plan.Sticks {
		// No departure can be announced in such a line, so each change of holder takes a lease of
		// the record. A set of locks has to keep one of them while it waits in the lines of the
		// others. It seldom does where a short lease ends because messages are slow.
		bound, want = bound+15*session.DefaultLease, 1
	}
	for n := range w.plan.Locks {
		before := w.locks.acquisitions(lockPath(n))
		for end := time.Now().Add(bound); w.locks.acquisitions(lockPath(n)) < before+want; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				w.check.report("liveness", "nobody acquires %s, %v after the last fault", lockPath(n), bound)
				break
			}
		}
	}
}

// isContender reports whether a znode is one of a lock's line.
func isContender(path string) bool {
	return strings.HasPrefix(path, lockDir) && strings.Contains(path, "_c_")
}

// checkLocks looks at what the processes leave behind when they have ended.
func (w *world) checkLocks() {
	for _, n := range w.ens.Nodes() {
		if isContender(n.Path) {
			w.check.report("census", "znode %s of session 0x%x is left", n.Path, n.Stat.EphemeralOwner)
		}
	}
}
