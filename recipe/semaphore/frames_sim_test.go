package semaphore_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// way is how permits are acquired and released. held is called when they are held.
type way struct {
	n      int // how many permits it asks for
	run    func(ctx context.Context, p *process, held func(*semaphore.Permit)) error
	errors []error // that it may return whatever happens
}

// ways are all of them, by name.
var ways = map[string]way{
	"do": {n: 1, run: func(ctx context.Context, p *process, held func(*semaphore.Permit)) error {
		return p.Do(ctx, func(_ context.Context, got *semaphore.Permit) error { held(got); return nil })
	}},
	"several": {n: 2, run: func(ctx context.Context, p *process, held func(*semaphore.Permit)) error {
		got, err := p.AcquireN(ctx, 2)
		if err != nil {
			return err
		}
		held(got)
		return got.Release(ctx)
	}},
	"try": {n: 1, run: func(ctx context.Context, p *process, held func(*semaphore.Permit)) error {
		got, err := p.TryAcquire(ctx)
		if err != nil {
			return err
		}
		held(got)
		return got.Release(ctx)
	}, errors: []error{semaphore.ErrBusy}},
}

// A fault may happen at any request of a process that acquires and releases permits, with slots or
// without. The path is new, or there is room, or not for a while. Nothing is left behind, the next
// one gets all permits in time, and the process can acquire one again.
func TestNothingIsLeftWhateverHappensAtEveryRequest(t *testing.T) {
	for name, cfg := range map[string]semaphore.Config{"": {}, ", slots": slotted} {
		for called, w := range ways {
			shared.EachFault(t, called+name, func(t *testing.T, f shared.Fault) {
				shared.AtEachRequest(t, f, 1, func(x *shared.Stage, c *shared.Call) {
					s, a, b := twoAtOne(x, 3, cfg)
					beside := <-b.begin(3 - w.n)
					w.call(s, c, a)
					s.release(beside)
					s.sound(c, a, b)
				})
			})
			shared.EachFault(t, called+name+", no room", func(t *testing.T, f shared.Fault) {
				shared.AtEachRequest(t, f, rounds.Stride(5), func(x *shared.Stage, c *shared.Call) {
					s, a, b := twoAtOne(x, 3, cfg)
					beside, one := <-b.begin(3-w.n), b.acquire()
					released := make(chan struct{})
					time.AfterFunc(stageD, func() { s.release(one); close(released) })
					w.call(s, c, a)
					<-released
					s.release(beside)
					s.sound(c, a, b)
				})
			})
		}
		shared.EachFault(t, "new path"+name, func(t *testing.T, f shared.Fault) {
			shared.AtEachRequest(t, f, 1, func(x *shared.Stage, c *shared.Call) {
				s, a, b := twoAtOne(x, 3, cfg)
				ways["do"].call(s, c, a)
				s.sound(c, a, b)
			})
		})
	}
}

// twoAtOne makes two processes with one semaphore of that size. Each has a session.
func twoAtOne(x *shared.Stage, size int, cfg semaphore.Config) (s *stage, a, b *process) {
	s = &stage{Stage: x, ledger: ledger{size: size}}
	a, b = s.process("a", cfg), s.process("b", cfg)
	s.Session(a.client)
	s.Session(b.client)
	return s, a, b
}

// call lets a process make the call. It compares the permit with others.
func (w way) call(s *stage, c *shared.Call, a *process) {
	c.Make(func(ctx context.Context, held func()) error {
		return w.run(ctx, a, func(p *semaphore.Permit) { held(); s.check(s.T, a.name, p) })
	}, w.errors...)
}

// sound demands that the next one gets all permits in time, that the process of the call can
// acquire one again, and that nothing is left. No fault lasts so long that somebody is taken for
// silent, so the next one never has to take over from it.
func (s *stage) sound(c *shared.Call, of, next *process) {
	s.T.Helper()
	c.InTime(func() { s.release(<-next.begin(s.size)) })
	if n := next.count(semaphore.EventTookOver); n > 0 {
		s.T.Errorf("%d takeovers", n)
	}
	s.release(of.acquire())
	c.NothingLeft(stagePath+"/leases", stagePath+"/locks")
}

// A fault may happen at any request of a Resize. The path holds what its error tells. Nothing is
// left behind, and the next one gets all permits in time.
func TestAResizeLeavesNothingWhateverHappensAtEveryRequest(t *testing.T) {
	for name, cfg := range map[string]semaphore.Config{"": {}, "slots, ": slotted} {
		shared.EachFault(t, name+"resize", func(t *testing.T, f shared.Fault) {
			shared.AtEachRequest(t, f, 1, func(x *shared.Stage, c *shared.Call) {
				s, a, b := twoAtOne(x, 2, cfg)
				s.release(a.acquire()) // from now on it follows the size
				first := b.acquire()
				// Where the request that makes the first heartbeat is lost, the session is over.
				err := c.Make(func(ctx context.Context, _ func()) error { return a.Resize(ctx, 3) }, session.ErrNoHeartbeat)
				c.Late = true // if its context ends, its znode is deleted without an announcement
				c.InTime(func() { s.release(b.acquire()) })
				await.Sleep(stageT)   // what is under way arrives
				second := b.acquire() // has another slot, and shows the size
				s.size = b.Size()
				switch outcome := session.OutcomeOf(err); {
				case err == nil && s.size != 3, outcome == session.OutcomeNotDone && s.size != 2:
					t.Errorf("the size is %d after %v", s.size, err)
				}
				s.release(first)
				s.release(second)
				s.sound(c, a, b)
			})
		})
	}
}

// usable demands that nothing is left and that another can have all permits, at once if no lease
// need be waited for.
func (s *stage) usable(within time.Duration) {
	s.T.Helper()
	s.none("leases")
	s.none("locks")
	next, begun := s.process("next"), time.Now()
	all := <-next.begin(s.size)
	if took := time.Since(begun); took > within {
		s.T.Errorf("it took %v until all permits were held again", took)
	}
	s.release(all)
}
