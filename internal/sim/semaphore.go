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
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The processes of a plan with Semaphores compete for permits instead of standing for election.

const semaphoreDir = "/k/"

func semaphorePath(n int) string { return semaphoreDir + strconv.Itoa(n) }

// isPermit reports whether a znode is of one who holds a permit or waits for one.
func isPermit(n zktest.Node) bool {
	kind := path.Base(path.Dir(n.Path))
	return strings.HasPrefix(n.Path, semaphoreDir) && (kind == "leases" || kind == "locks") && n.Stat.EphemeralOwner != 0
}

// slotPath is where the holders of a slot leave their tokens.
func slotPath(path string, slot int) string {
	return fmt.Sprintf("/slotwork/%s-%d", path[len(semaphoreDir):], slot)
}

// sizeOf is the size of a semaphore at first, whether it has slots, and whether it is resized.
func (p Plan) sizeOf(n int) (size int, slots, resized bool) {
	x := p.Seed + int64(n)
	return 1 + int(x%3), x%2 == 0, x/2%2 == 1
}

// largestSize is the largest size of all semaphores.
const largestSize = 4

// longestUse is how long a permit is held at most.
const longestUse = 20 * time.Second

// usesOf is how many uses of one semaphore a process has at a time, and mostUses how many of their
// znodes may exist: one of each may just have gone, and its next one have come; one use resizes.
const (
	usesOf   = 2
	mostUses = 2*usesOf + 1
)

func (w *world) setUpSemaphores(ctx context.Context, s *session.Session) {
	for n := range w.plan.Semaphores {
		dir := semaphorePath(n)
		size, _, resized := w.plan.sizeOf(n)
		w.check.semaphores[dir] = newPermits(size, resized)
		if err := s.EnsurePath(ctx, registerPath(dir), zk.WorldACL(zk.PermAll)); err != nil {
			panic(err)
		}
		for i := range largestSize {
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
		size, slots, resized := p.w.plan.sizeOf(n)
		cfg := semaphore.Config{Slots: slots, DrainTimeout: drainTimeout, Logger: log}
		for i := range usesOf {
			u := &use{p: p, dir: dir, size: size, id: fmt.Sprintf("%s.%d", p.name, i), cfg: cfg, rng: rand.New(rand.NewSource(rng.Int63()))}
			p.running.Go(func() { u.run(ctx) })
		}
		if resized {
			r := &use{p: p, dir: dir, size: size, id: p.name, cfg: cfg, rng: rand.New(rand.NewSource(rng.Int63()))}
			p.running.Go(func() { r.resize(ctx) })
		}
	}
}

// use is one that uses a semaphore again and again. Each has a Semaphore with an ID of its own, so
// that its znodes tell whose they are.
type use struct {
	p    *proc
	dir  string
	size int // that it asks for
	id   string
	cfg  semaphore.Config
	rng  *rand.Rand
}

func (u *use) run(ctx context.Context) {
	for ctx.Err() == nil {
		cfg, size := u.cfg, u.size
		cfg.ID, cfg.OnEvent = u.id, func(ev semaphore.Event) { u.p.w.check.stoodInLine(u.dir, u.id, ev) }
		sem := must(semaphore.New(u.p.client, u.dir, size, cfg))
		for size == u.size && ctx.Err() == nil {
			if err := u.once(ctx, sem); err != nil {
				u.failed(err)
				u.p.rest(ctx, u.rng, 3*time.Second)
			}
		}
	}
}

// failed reports an error that nothing explains. Where the size was changed, it asks for that size
// from now on.
func (u *use) failed(err error) {
	var other *semaphore.SizeError
	switch {
	case errors.As(err, &other) && u.p.w.check.isResized(u.dir):
		u.size = other.Size
	case !errors.Is(err, semaphore.ErrBusy) && !expectedEnd(err):
		u.p.w.check.report("run", "%s uses %s: %v", u.id, u.dir, err)
	}
}

// expectedEnd reports whether an error tells of an end that a fault or a deadline explains.
func expectedEnd(err error) bool {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, session.ErrClosed,
		recipe.ReasonLeaseExpired, recipe.ReasonSessionLost, recipe.ReasonNodeDeleted, recipe.ReasonCancelled,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// once acquires a permit in one way or another, and holds it for a while.
func (u *use) once(ctx context.Context, sem *semaphore.Semaphore) error {
	var permit *semaphore.Permit
	var err error
	bounded, cancel := u.p.within(ctx, u.rng, time.Minute)
	defer cancel()
	asked := time.Now()
	u.p.w.check.asks(u.dir, u.id)
	switch u.rng.Intn(8) {
	case 0:
		permit, err = sem.TryAcquire(bounded)
	case 1:
		permit, err = sem.Acquire(bounded)
	case 2:
		permit, err = sem.AcquireN(ctx, 1+u.rng.Intn(sem.Size()))
	case 3, 4:
		return u.do(bounded, sem, asked)
	default:
		permit, err = sem.Acquire(ctx)
	}
	if err != nil {
		return err
	}
	u.p.w.check.permitBegan(u.p, u.dir, u.id, permit, asked)
	defer u.p.w.check.permitReleased(u.dir, permit)
	u.work(permit.Context(), permit)
	u.p.w.check.permitStopped(u.dir, permit)
	late, cancelLate := clock.WithTimeout(context.Background(), u.p.clock, time.Second)
	defer cancelLate()
	permit.Release(late)
	return nil
}

// do is once by Do. When ctx ends the permit is kept until the work has stopped.
func (u *use) do(ctx context.Context, sem *semaphore.Semaphore, asked time.Time) error {
	var permit *semaphore.Permit
	err := sem.Do(ctx, func(ctx context.Context, given *semaphore.Permit) error {
		permit = given
		u.p.w.check.permitBegan(u.p, u.dir, u.id, permit, asked)
		defer u.p.w.check.permitStopped(u.dir, permit)
		u.work(ctx, permit)
		return nil
	})
	if permit != nil {
		u.p.w.check.permitReleased(u.dir, permit)
	}
	return err
}

// work asks the permit whether it is valid, and leaves its token where it holds a slot.
func (u *use) work(ctx context.Context, permit *semaphore.Permit) {
	p, rng := u.p, u.rng
	end := min(time.Duration(rng.ExpFloat64()*float64(longestUse/2)), longestUse)
	writes := true
	for begun := p.clock.Now(); ctx.Err() == nil && p.clock.Now().Sub(begun) < end; {
		p.w.check.lookAtPermits(u.dir)
		for _, slot := range permit.Slots() {
			permit.Multi(ctx, &zk.SetDataRequest{Path: slotPath(u.dir, slot.Number()), Data: []byte(strconv.FormatInt(slot.Token(), 10)), Version: -1})
		}
		pause := func() { p.rest(ctx, rng, longestPass) }
		if !writes || !p.w.check.isMutex(u.dir) {
			pause()
			continue
		}
		writes = p.useRegister(ctx, u.dir, permit, false, pause)
	}
	if rng.Intn(4) == 0 && len(p.w.plan.Faults) > 0 { // stop slowly, whatever the context says
		p.rest(context.Background(), rng, 2*drainTimeout)
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

// acquisitions returns how many permits were acquired.
func (w *world) acquisitions() (n int) {
	w.check.mu.Lock()
	defer w.check.mu.Unlock()
	for _, s := range w.check.semaphores {
		n += s.acquired
	}
	return n
}
