package watch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

func TestTheEndOfTheSessionEndsWaitsWithItsReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(*fixture)
		reason error
	}{
		{"closed", func(x *fixture) { x.s.Close() }, session.ErrClosed},
		{"expired", func(x *fixture) { x.proxy.FailReply(faultproxy.OpConnect, 1, 0); x.proxy.Cut(false) }, session.ErrExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, x *fixture) {
				x.create("/a")
				x.caughtUp()
				n := x.node("/a")
				x.nextState(n)
				gone := x.gone(x.ctx, "/a")
				state := async(func() (watch.State, error) { return n.Next(x.ctx) })
				c.end(x)
				if err := receive(x, gone).err; !errors.Is(err, c.reason) {
					t.Errorf("Gone: %v, want %v", err, c.reason)
				}
				if err := receive(x, state).err; !errors.Is(err, c.reason) {
					t.Errorf("Next: %v, want %v", err, c.reason)
				}
				if err := watch.Gone(x.ctx, x.s, "/a"); !errors.Is(err, c.reason) {
					t.Errorf("a later Gone: %v, want %v", err, c.reason)
				}
			})
		})
	}
}

func TestTheEndOfTheContextEndsAWaitWithItsCause(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(x.ctx)
		gone := x.gone(ctx, "/a")
		cancel(cause)
		if err := receive(x, gone).err; !errors.Is(err, cause) {
			t.Errorf("waiting: %v", err)
		}
		n := x.node("/a")
		if _, err := n.Next(ctx); !errors.Is(err, cause) {
			t.Errorf("at once: %v", err)
		}
		if st := x.nextState(n); !st.Exists {
			t.Errorf("after an error: %+v", st)
		}
		ctx, cancel = context.WithCancelCause(x.ctx)
		x.offline(func() {
			state := async(func() (watch.State, error) { return n.Next(ctx) })
			cancel(cause)
			if err := receive(x, state).err; !errors.Is(err, cause) {
				t.Errorf("without a connection: %v", err)
			}
		})
	})
}

func TestAWakeUpThatCouldNotBeFollowedUpIsNotForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		n := x.node("/a")
		x.nextState(n)
		ctx, cancel := context.WithCancel(clock.With(x.ctx, newHandClock()))
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		held := x.proxy.HoldReply(faultproxy.OpGetData, 1)
		x.set("/a", "1")
		x.must(held.Wait(x.ctx)) // the event has been used up
		cancel()
		if r := receive(x, state); r.err == nil {
			t.Fatalf("%+v without an answer", r.v)
		}
		held.Release()
		// On a clock that stands still only what is remembered can make Next look.
		st, err := n.Next(clock.With(x.ctx, newHandClock()))
		if err != nil || string(st.Data) != "1" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

func TestStopEndsNextWhateverItDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, x *fixture) {
		x.create("/a")
		x.caughtUp()
		for _, busy := range []bool{false, true} {
			n := x.node("/a")
			x.nextState(n)
			state := async(func() (watch.State, error) { return n.Next(x.ctx) })
			held := x.proxy.HoldReply(faultproxy.OpGetData, 1)
			if busy {
				x.set("/a", "1")
				x.must(held.Wait(x.ctx))
			}
			n.Stop()
			n.Stop()
			if err := receive(x, state).err; !errors.Is(err, watch.ErrStopped) {
				t.Errorf("busy %v: %v", busy, err)
			}
			held.Cancel()
			if _, err := n.Next(x.ctx); !errors.Is(err, watch.ErrStopped) {
				t.Errorf("after Stop: %v", err)
			}
		}
	})
}
