package recipeprom_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// taker is a lock or a semaphore of one process, with metrics whose names begin with kind.
type taker struct {
	*process
	kind         string
	acquire, try func(context.Context) (taken, error)
	do           func(ctx context.Context, f func(context.Context)) error
	busy         error
}

// taken is a lock that is held, or a permit.
type taken interface {
	Node() string
	Release(context.Context) error
}

// takers have the same figures for the same events.
var takers = map[string]func(p *process) *taker{
	"lock": func(p *process) *taker {
		l := must(lock.New(p.client, "/x", lock.Config{}))
		p.metrics.Add("index", l)
		return &taker{p, "lock",
			func(ctx context.Context) (taken, error) { return l.Acquire(ctx) },
			func(ctx context.Context) (taken, error) { return l.TryAcquire(ctx) },
			func(ctx context.Context, f func(context.Context)) error {
				return l.Do(ctx, func(ctx context.Context, _ *lock.Held) error { f(ctx); return nil })
			}, lock.ErrBusy}
	},
	"semaphore": func(p *process) *taker {
		s := must(semaphore.New(p.client, "/x", 1, semaphore.Config{}))
		p.metrics.Add("index", s)
		return &taker{p, "semaphore",
			func(ctx context.Context) (taken, error) { return s.Acquire(ctx) },
			func(ctx context.Context) (taken, error) { return s.TryAcquire(ctx) },
			func(ctx context.Context, f func(context.Context)) error {
				return s.Do(ctx, func(ctx context.Context, _ *semaphore.Permit) error { f(ctx); return nil })
			}, semaphore.ErrBusy}
	},
}

// want, between and find are those of the process, of the recipe's own metrics.
func (k *taker) want(v float64, name string, label ...string) {
	k.t.Helper()
	k.process.want(v, k.kind+"_"+name, label...)
}

func (k *taker) between(low, high float64, name string) {
	k.t.Helper()
	k.process.between(low, high, k.kind+"_"+name)
}

func (k *taker) sum(name string) float64 {
	k.t.Helper()
	return k.find(k.kind + "_" + name).Histogram.GetSampleSum()
}

// begin acquires n times in the background.
func (k *taker) begin(n int) <-chan taken {
	got := make(chan taken, n)
	for range n {
		go func() { got <- must(k.acquire(context.Background())) }()
	}
	return got
}

// eachTaker runs f with two processes.
func eachTaker(t *testing.T, f func(t *testing.T, e *zktest.Ensemble, a, b *taker)) {
	for kind, open := range takers {
		t.Run(kind, func(t *testing.T) {
			simulate(t, func(t *testing.T, e *zktest.Ensemble) {
				a, b := open(start(t, e, "a")), open(start(t, e, "b"))
				defer a.client.Close()
				defer b.client.Close()
				f(t, e, a, b)
			})
		})
	}
}

// A holder is cut off, and one that has waited for long takes over.
func TestTheFiguresOfWhatIsLost(t *testing.T) {
	eachTaker(t, func(t *testing.T, e *zktest.Ensemble, a, b *taker) {
		held := must(a.acquire(t.Context()))
		next := b.begin(1)
		await.Sleep(time.Minute)
		a.want(1, "held")
		a.want(0, "waiting")
		a.want(1, "acquire_seconds")
		a.between(59, 61, "held_longest_seconds")
		a.want(0, "waiting_longest_seconds")
		a.between(D.Seconds()*.7, D.Seconds(), "lease_remaining_seconds")
		b.want(1, "waiting")
		b.want(0, "held")
		b.want(0, "acquire_seconds")
		b.want(absent, "lease_remaining_seconds")
		b.between(59, 61, "waiting_longest_seconds")
		b.want(0, "held_longest_seconds")

		e.Host("a").Hold()
		second := <-next
		e.Host("a").Heal()
		a.want(0, "held")
		a.want(1, "ended_total", "lease expired")
		a.want(0, "ended_total", "released")
		a.want(1, "hold_seconds")
		a.want(0, "takeovers_total")
		b.want(1, "held")
		b.want(0, "waiting")
		b.want(1, "takeovers_total")
		b.want(0, "withheld_total")
		if waited, hold := b.sum("acquire_seconds"), a.sum("hold_seconds"); waited < 60 || waited > 80 || hold < 60 || hold > 80 {
			t.Errorf("it has waited for %v s, and the other has held it for %v s", waited, hold)
		}
		held.Release(t.Context())
		if err := second.Release(t.Context()); err != nil {
			t.Error(err)
		}
		b.want(1, "ended_total", "released")
		b.want(0, "ended_total", "lease expired")
	})
}

// Some wait, some ask once, some give up: each of them has a number of its own here, so that no two
// figures can be confused.
func TestTheFiguresOfThoseWhoGetNothing(t *testing.T) {
	eachTaker(t, func(t *testing.T, e *zktest.Ensemble, a, b *taker) {
		held := must(a.acquire(t.Context()))
		ctx, giveUp := context.WithCancel(t.Context())
		var given []chan error
		for range 3 {
			gave := make(chan error, 1)
			given = append(given, gave)
			go func() { _, err := b.acquire(ctx); gave <- err }()
		}
		got := b.begin(4)
		await.Sleep(time.Second)
		b.want(7, "waiting")
		b.want(0, "busy_total")
		b.want(0, "gave_up_total")
		for range 2 {
			if _, err := b.try(t.Context()); err != b.busy {
				t.Error(err)
			}
		}
		b.want(7, "waiting") // none of them waited
		giveUp()
		for _, gave := range given {
			if err := <-gave; err == nil {
				t.Error("acquired what is held")
			}
		}
		await.Sleep(time.Second) // they leave the line in the background
		b.want(4, "waiting")
		b.want(2, "busy_total")
		b.want(3, "gave_up_total")
		b.want(0, "held")
		b.want(0, "acquire_seconds")
		b.want(0, "failures_total")
		for _, name := range []string{"waiting", "busy_total", "gave_up_total"} {
			a.want(0, name)
		}

		for range 4 {
			if err := held.Release(t.Context()); err != nil {
				t.Error(err)
			}
			held = <-got
		}
		b.want(0, "waiting")
		b.want(4, "acquire_seconds")
		b.want(2, "busy_total")
		b.want(3, "gave_up_total")
		b.want(0, "takeovers_total")
		held.Release(t.Context())
	})
}

// Each reason for which something ends has its own figure. So have the two ways in which the next
// one gets what was not given away.
func TestTheFiguresOfEachEnd(t *testing.T) {
	for name, c := range map[string]struct {
		reason              recipe.Reason
		takeovers, withheld float64 // of the next one
		end                 func(t *testing.T, e *zktest.Ensemble, k *taker, held taken, stop func())
	}{
		"a release": {recipe.ReasonReleased, 0, 0, func(t *testing.T, _ *zktest.Ensemble, _ *taker, held taken, _ func()) {
			held.Release(t.Context())
		}},
		"the end of a context": {recipe.ReasonCancelled, 0, 0, func(_ *testing.T, _ *zktest.Ensemble, _ *taker, _ taken, stop func()) {
			stop()
		}},
		"a closed client": {recipe.ReasonClosed, 0, 0, func(_ *testing.T, _ *zktest.Ensemble, k *taker, _ taken, _ func()) {
			k.client.Close()
		}},
		"a cut": {recipe.ReasonLeaseExpired, 1, 0, func(_ *testing.T, e *zktest.Ensemble, _ *taker, _ taken, _ func()) {
			e.Host("a").Hold()
		}},
		"the end of a session": {recipe.ReasonSessionLost, 0, 1, func(_ *testing.T, e *zktest.Ensemble, k *taker, _ taken, _ func()) {
			e.Host("a").Drop() // else it may hear of the deletion first
			e.ExpireSession(k.client.Status().Session)
			await.Sleep(time.Second)
			e.Host("a").Cut()
			e.Host("a").Heal()
		}},
		"a deletion by hand": {recipe.ReasonNodeDeleted, 0, 1, func(t *testing.T, _ *zktest.Ensemble, k *taker, held taken, _ func()) {
			if err := must(k.client.Session(t.Context())).Delete(t.Context(), held.Node(), -1); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachTaker(t, func(t *testing.T, e *zktest.Ensemble, a, b *taker) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var held taken
				done := make(chan struct{})
				if c.reason == recipe.ReasonCancelled {
					begun := make(chan struct{})
					go func() {
						defer close(done)
						a.do(ctx, func(ctx context.Context) { close(begun); <-ctx.Done() })
					}()
					<-begun
				} else {
					held = must(a.acquire(t.Context()))
					close(done)
				}
				next := b.begin(1)
				await.Sleep(time.Second)
				c.end(t, e, a, held, stop)
				second := <-next
				e.Host("a").Heal()
				<-done
				synctest.Wait()
				a.want(0, "held")
				a.want(1, "hold_seconds")
				for r := recipe.ReasonReleased; r <= recipe.ReasonNodeDeleted; r++ {
					n := 0.0
					if r == c.reason {
						n = 1
					}
					if n > 0 || a.find(a.kind+"_ended_total", r.String()) != nil { // rare ones have no figure before they happen
						a.want(n, "ended_total", r.String())
					}
				}
				b.want(c.takeovers, "takeovers_total")
				b.want(c.withheld, "withheld_total")
				b.want(1, "held")
				second.Release(t.Context())
			})
		})
	}
}

// There is no session for a long time.
func TestTheFiguresOfThoseWhoCannotStandInLine(t *testing.T) {
	eachTaker(t, func(t *testing.T, e *zktest.Ensemble, a, _ *taker) {
		e.Host("a").Hold()
		got := a.begin(1)
		await.Sleep(time.Minute)
		a.want(1, "waiting")
		a.between(59, 61, "waiting_longest_seconds")
		a.between(1, 10, "failures_total")
		a.want(0, "gave_up_total")
		e.Host("a").Heal()
		held := <-got
		a.want(0, "waiting")
		a.want(1, "acquire_seconds")
		held.Release(t.Context())
	})
}
