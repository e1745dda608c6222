package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The processes of a plan with Semaphores compete for permits instead of standing for election.

func semaphorePath(n int) string { return "/k/" + strconv.Itoa(n) }

// slotPath is where the holders of a slot leave their tokens.
func slotPath(path string, slot int) string {
	return fmt.Sprintf("/slotwork/%s-%d", path[len("/k/"):], slot)
}

// sizeOf is the size of a semaphore, and whether it has slots.
func (p Plan) sizeOf(n int) (size int, slots bool) {
	return 1 + int((p.Seed+int64(n))%3), (p.Seed+int64(n))%2 == 0
}

// longestUse is how long a permit is held at most.
const longestUse = 20 * time.Second

// usesOf is how many uses of one semaphore a process has at a time.
const usesOf = 2

// permits is what the checker knows of one semaphore.
type permits struct {
	size     int
	held     []*permitRecord // those that may still matter
	tokens   map[int]int64   // the largest of each slot
	acquired int
}

type permitRecord struct {
	proc   *proc
	id     string
	permit *semaphore.Permit
	over   bool // it was seen not to be valid
}

func (w *world) setUpSemaphores(ctx context.Context, s *session.Session) {
	for n := range w.plan.Semaphores {
		dir := semaphorePath(n)
		size, _ := w.plan.sizeOf(n)
		w.check.semaphores[dir] = &permits{size: size, tokens: map[int]int64{}}
		if err := s.EnsurePath(ctx, registerPath(dir), zk.WorldACL(zk.PermAll)); err != nil {
			panic(err)
		}
		for i := range size {
			if err := s.EnsurePath(ctx, slotPath(dir, i), zk.WorldACL(zk.PermAll)); err != nil {
				panic(err)
			}
		}
		if w.plan.Wraps || w.plan.Sticks {
			for _, line := range []string{dir + "/leases", dir + "/locks"} {
				if err := s.EnsurePath(ctx, line, zk.WorldACL(zk.PermAll)); err != nil {
					panic(err)
				}
				w.startSequence(line)
			}
		}
	}
}

func (p *proc) runSemaphores(ctx context.Context, log *slog.Logger, rng *rand.Rand) {
	for n := range p.w.plan.Semaphores {
		dir := semaphorePath(n)
		size, slots := p.w.plan.sizeOf(n)
		sem, err := semaphore.New(p.client, dir, size, semaphore.Config{ID: p.name, Slots: slots, DrainTimeout: drainTimeout, Logger: log})
		if err != nil {
			panic(err)
		}
		for i := range usesOf {
			id, rng := fmt.Sprintf("%s.%d", p.name, i), rand.New(rand.NewSource(rng.Int63()))
			p.running.Go(func() {
				for ctx.Err() == nil {
					p.useSemaphore(ctx, sem, dir, size, id, rng)
				}
			})
		}
	}
}

// useSemaphore acquires a permit in one way or another, and holds it for a while.
func (p *proc) useSemaphore(ctx context.Context, sem *semaphore.Semaphore, dir string, size int, id string, rng *rand.Rand) {
	var permit *semaphore.Permit
	var err error
	bounded, cancel := clock.WithTimeout(ctx, p.clock, time.Duration(rng.Int63n(int64(time.Minute))))
	defer cancel()
	switch rng.Intn(6) {
	case 0:
		permit, err = sem.TryAcquire(bounded)
	case 1:
		permit, err = sem.Acquire(bounded)
	case 2:
		permit, err = sem.AcquireN(ctx, 1+rng.Intn(size))
	default:
		permit, err = sem.Acquire(ctx)
	}
	if err != nil {
		if !errors.Is(err, semaphore.ErrBusy) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && !errors.Is(err, session.ErrClosed) {
			p.w.check.report("run", "%s acquires %s: %v", id, dir, err)
		}
		clock.Sleep(ctx, p.clock, time.Duration(rng.Int63n(int64(3*time.Second))))
		return
	}
	p.w.check.permitBegan(p, dir, id, permit)
	defer p.w.check.permitStopped(dir, permit)
	p.work(permit, dir, rng)
	late, cancelLate := clock.WithTimeout(context.Background(), p.clock, time.Second)
	defer cancelLate()
	permit.Release(late)
}

// work asks the permit whether it is valid, and leaves its token where it holds a slot.
func (p *proc) work(permit *semaphore.Permit, dir string, rng *rand.Rand) {
	ctx := permit.Context()
	end := min(time.Duration(rng.ExpFloat64()*float64(longestUse/2)), longestUse)
	for begun := p.clock.Now(); ctx.Err() == nil && p.clock.Now().Sub(begun) < end; {
		p.w.check.lookAtPermits(dir)
		for _, slot := range permit.Slots() {
			permit.Multi(ctx, &zk.SetDataRequest{Path: slotPath(dir, slot.Number()), Data: []byte(strconv.FormatInt(slot.Token(), 10)), Version: -1})
		}
		pause := func() { clock.Sleep(ctx, p.clock, time.Duration(rng.Int63n(int64(longestPass)))) }
		if p.w.check.semaphores[dir].size > 1 {
			pause()
			continue
		}
		p.useRegister(ctx, dir, permit, false, pause)
	}
	if rng.Intn(4) == 0 && len(p.w.plan.Faults) > 0 { // stop slowly, whatever the context says
		clock.Sleep(context.Background(), p.clock, time.Duration(rng.Int63n(int64(2*drainTimeout))))
	}
}

// permitBegan is called first thing when a permit is held. A permit's Valid goes from true to false
// once, so looking at all whenever one begins finds every instant with too many.
func (c *checker) permitBegan(p *proc, dir, id string, permit *semaphore.Permit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun(p)
	s := c.semaphores[dir]
	s.acquired++
	c.log("%s holds %d of %s by %s, lease %v, slots %v", id, permit.N(), dir, permit.Node(), permit.Remaining(), numbers(permit))
	s.held = append(s.held, &permitRecord{proc: p, id: id, permit: permit})
	for _, slot := range permit.Slots() {
		if before := s.tokens[slot.Number()]; slot.Token() <= before && !c.line.excused(permit.Node()) {
			c.violate("token", "%s holds slot %d of %s with token %d after %d", id, slot.Number(), dir, slot.Token(), before)
		}
		s.tokens[slot.Number()] = max(s.tokens[slot.Number()], slot.Token())
	}
	c.countPermits(dir)
}

func numbers(permit *semaphore.Permit) (all []int) {
	for _, slot := range permit.Slots() {
		all = append(all, slot.Number())
	}
	return all
}

// countPermits looks at all permits of a semaphore at this instant.
func (c *checker) countPermits(dir string) {
	s, valid, who, slots := c.semaphores[dir], 0, []string{}, map[int]string{}
	for _, r := range s.held {
		v := r.permit.Valid()
		switch {
		case v && r.over:
			c.violate("overlap", "the permit %s of %s is valid again", r.permit.Node(), r.id)
		case !v && !closed(r.permit.Context().Done()) && !r.proc.clock.excused(c.lease):
			c.violate("context", "the permit %s of %s is over, and its context is not cancelled", r.permit.Node(), r.id)
		}
		r.over = !v
		if !v && r.permit.DrainContext().Err() != nil || c.line.excused(r.permit.Node()) {
			continue // nobody counts it any more
		}
		valid, who = valid+r.permit.N(), append(who, r.id)
		for _, n := range numbers(r.permit) {
			if other, taken := slots[n]; taken {
				c.violate("slot", "%s and %s hold slot %d of %s", other, r.id, n, dir)
			}
			slots[n] = r.id
		}
	}
	if valid > s.size {
		c.violate("overlap", "%d permits of %s are valid or drained, of %d: those of %v", valid, dir, s.size, who)
	}
}

// lookAtPermits is called now and then while work goes on.
func (c *checker) lookAtPermits(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countPermits(dir)
}

// permitStopped is called when the holder of a permit has released it.
func (c *checker) permitStopped(dir string, permit *semaphore.Permit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.semaphores[dir]
	if permit.Valid() {
		c.violate("overlap", "the permit %s is valid though it was released", permit.Node())
	}
	for i, r := range s.held {
		if r.permit == permit {
			s.held = append(s.held[:i:i], s.held[i+1:]...)
			return
		}
	}
}

// permitsResumed is called when a process was paused, before any of its timers fires.
func (c *checker) permitsResumed(p *proc) {
	for dir, s := range c.semaphores {
		c.countPermits(dir)
		for _, r := range s.held {
			if r.proc == p && r.permit.Remaining() <= 0 && (r.permit.Valid() || r.permit.Context().Err() == nil) {
				c.violate("pause", "%s finds its permit of %s valid after the pause", r.id, dir)
			}
		}
	}
}

// slotWritten is called when the holder of a slot has left its token.
func (c *checker) slotWritten(ch zktest.Change) {
	name, number, _ := strings.Cut(strings.TrimPrefix(ch.Path, "/slotwork/"), "-")
	token, _ := strconv.ParseInt(string(ch.Data), 10, 64)
	slot, _ := strconv.Atoi(number)
	if s := c.semaphores["/k/"+name]; s != nil && token != 0 && token < s.tokens[slot] {
		c.violate("guard", "the holder of slot %d with token %d wrote after the one with %d began", slot, token, s.tokens[slot])
	}
}

// holding returns a process that holds a permit, and that permit, or nil.
func (w *world) holding(rng *rand.Rand) (*proc, tenure) {
	w.check.mu.Lock()
	defer w.check.mu.Unlock()
	for _, r := range w.check.semaphores[semaphorePath(rng.Intn(w.plan.Semaphores))].held {
		if r.permit.Valid() && !r.proc.crashed.Load() && !r.proc.clock.paused() {
			return r.proc, r.permit
		}
	}
	return nil, nil
}

// permitNodes returns the znodes below a semaphore's path.
func (w *world) permitNodes(dir string) (nodes []string) {
	for _, n := range w.ens.Nodes() {
		if d := path.Dir(n.Path); d == dir+"/leases" || d == dir+"/locks" {
			nodes = append(nodes, n.Path)
		}
	}
	return nodes
}

// awaitPermits demands that, with all faults over, permits of each semaphore are acquired before
// long.
func (w *world) awaitPermits(bound time.Duration) {
	count := func(dir string) int {
		w.check.mu.Lock()
		defer w.check.mu.Unlock()
		return w.check.semaphores[dir].acquired
	}
	for n := range w.plan.Semaphores {
		dir := semaphorePath(n)
		before := count(dir)
		for end := time.Now().Add(bound + longestUse); count(dir) == before; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				w.check.report("liveness", "no permit of %s was acquired within %v after the last fault", dir, bound+longestUse)
				break
			}
		}
	}
}

// checkPermits demands, when faults are long over, that each znode of a semaphore is of a process
// that lives, and that a process has no more of them than its uses need.
func (w *world) checkPermits() {
	sessions, places := w.sessions(), map[string]int{}
	for _, n := range w.ens.Nodes() {
		kind := path.Base(path.Dir(n.Path))
		if !strings.HasPrefix(n.Path, "/k/") || kind != "leases" && kind != "locks" || n.Stat.EphemeralOwner == 0 {
			continue
		}
		p := sessions[n.Stat.EphemeralOwner]
		if p == nil {
			w.check.report("census", "znode %s belongs to nobody", n.Path)
			continue
		}
		key := p.name + " " + path.Dir(n.Path)
		places[key]++
		most := 2 * usesOf // one may just have gone, and its next one have come
		if kind == "leases" {
			most *= 3 // each may want all
		}
		if places[key] > most {
			w.check.report("census", "%s has %d znodes", key, places[key])
		}
	}
}

// acquisitions returns how many permits were acquired.
func (w *world) acquisitions() (n int) {
	w.check.mu.Lock()
	defer w.check.mu.Unlock()
	for _, s := range w.check.semaphores {
		n += s.acquired
	}
	return n
}
