package lock_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTryOnABusyLockWritesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		proxies := shared.Proxies(t, x.Servers)
		a, b := x.at(x.ClientAt(proxies, session.Config{}), "a"), x.contender("b")
		h, err := b.TryAcquire(await.Context(t)) // nobody has it
		shared.Must(t, err)
		x.CaughtUp(a.client)
		counts := func(ops ...faultproxy.Op) (n int) {
			for _, p := range proxies {
				for _, op := range ops {
					n += p.Counts().Requests[op].Frames
				}
			}
			return n
		}
		writes := func() int {
			return counts(faultproxy.OpCreate, faultproxy.OpMulti, faultproxy.OpDelete, faultproxy.OpSetData)
		}
		tries := x.rounds(10_000/rounds.Stride(10), 100)
		before := writes()
		for range tries {
			_, err := a.TryAcquire(t.Context())
			want(t, err, lock.ErrBusy)
		}
		if n := writes() - before; n > 0 {
			t.Errorf("%d writes during %d tries", n, tries)
		}
		if n := counts(faultproxy.OpGetChildren2); n < tries {
			t.Errorf("the line was listed %d times, so not all requests are seen", n)
		}
		if left := x.inLine(); len(left) != 1 {
			t.Errorf("in line: %v", left)
		}
		release(t, h)
	})
}

// While somebody holds the lock, TryAcquire does not read the record, so it does not return a
// LeaseError. Acquire does.
func TestTryTellsOfALeaseThatIsTooLongWhenTheLockIsFree(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.contender("a"), x.at(x.Client(session.Config{Lease: contestT / 2}), "b")
		tooLong := func(_ *lock.Held, err error) {
			t.Helper()
			var lease *recipe.LeaseError
			if !errors.As(err, &lease) {
				t.Errorf("error %v; want a LeaseError", err)
			}
		}
		h := a.acquire()
		_, err := b.TryAcquire(await.Context(t))
		want(t, err, lock.ErrBusy)
		tooLong(b.Acquire(await.Context(t)))
		release(t, h)
		x.CaughtUp(b.client)
		tooLong(b.TryAcquire(await.Context(t)))
	})
}

// A lock goes from one that waits to the next. Those who try meanwhile do not pass them, and leave
// nothing in the line.
func TestTryAcquireDoesNotPassThoseWhoWait(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		const triers = 5
		held := x.contender("a").acquire()
		b, c := x.contender("b").queue(), x.contender("c").queue()
		var over atomic.Bool
		trying, tried := make(chan error, triers), make(chan error, triers)
		for i := range triers {
			d, ctx := x.contender(fmt.Sprint("d", i)), await.Context(t)
			go func() {
				_, err := d.TryAcquire(ctx)
				for trying <- err; err == lock.ErrBusy && !over.Load(); {
					_, err = d.TryAcquire(ctx)
				}
				tried <- err
			}()
		}
		for range triers {
			want(t, <-trying, lock.ErrBusy)
		}
		release(t, held)
		release(t, <-b)
		last := <-c
		over.Store(true)
		for range triers {
			want(t, <-tried, lock.ErrBusy)
		}
		if left := x.inLine(); len(left) != 1 {
			t.Errorf("in line: %v", left)
		}
		release(t, last)
	})
}
