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
		end    func(*bed)
		reason error
	}{
		{"closed", func(b *bed) { b.s.Close() }, session.ErrClosed},
		{"expired", func(b *bed) { b.proxy.FailReply(faultproxy.OpConnect, 1, 0); b.proxy.Cut(false) }, session.ErrExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.create("/a")
			b.caughtUp()
			n := b.node("/a")
			b.nextState(n)
			gone := b.gone(b.ctx, "/a")
			state := async(func() (watch.State, error) { return n.Next(b.ctx) })
			c.end(b)
			if err := await(b, gone).err; !errors.Is(err, c.reason) {
				t.Errorf("Gone: %v, want %v", err, c.reason)
			}
			if err := await(b, state).err; !errors.Is(err, c.reason) {
				t.Errorf("Next: %v, want %v", err, c.reason)
			}
			if err := watch.Gone(b.ctx, b.s, "/a"); !errors.Is(err, c.reason) {
				t.Errorf("a later Gone: %v, want %v", err, c.reason)
			}
		})
	}
}

func TestTheEndOfTheContextEndsAWaitWithItsCause(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(b.ctx)
	gone := b.gone(ctx, "/a")
	cancel(cause)
	if err := await(b, gone).err; !errors.Is(err, cause) {
		t.Errorf("waiting: %v", err)
	}
	n := b.node("/a")
	if _, err := n.Next(ctx); !errors.Is(err, cause) {
		t.Errorf("at once: %v", err)
	}
	if st := b.nextState(n); !st.Exists {
		t.Errorf("after an error: %+v", st)
	}
	ctx, cancel = context.WithCancelCause(b.ctx)
	b.offline(func() {
		state := async(func() (watch.State, error) { return n.Next(ctx) })
		cancel(cause)
		if err := await(b, state).err; !errors.Is(err, cause) {
			t.Errorf("without a connection: %v", err)
		}
	})
}

func TestAWakeUpThatCouldNotBeFollowedUpIsNotForgotten(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	n := b.node("/a")
	b.nextState(n)
	ctx, cancel := context.WithCancel(clock.With(b.ctx, newHandClock()))
	state := async(func() (watch.State, error) { return n.Next(ctx) })
	held := b.proxy.HoldReply(faultproxy.OpGetData, 1)
	b.set("/a", "1")
	b.must(held.Wait(b.ctx)) // the event has been used up
	cancel()
	if r := await(b, state); r.err == nil {
		t.Fatalf("%+v without an answer", r.v)
	}
	held.Release()
	// On a clock that stands still only what is remembered can make Next look.
	st, err := n.Next(clock.With(b.ctx, newHandClock()))
	if err != nil || string(st.Data) != "1" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestStopEndsNextWhateverItDoes(t *testing.T) {
	b := newBed(t)
	b.create("/a")
	b.caughtUp()
	for _, busy := range []bool{false, true} {
		n := b.node("/a")
		b.nextState(n)
		state := async(func() (watch.State, error) { return n.Next(b.ctx) })
		held := b.proxy.HoldReply(faultproxy.OpGetData, 1)
		if busy {
			b.set("/a", "1")
			b.must(held.Wait(b.ctx))
		}
		n.Stop()
		n.Stop()
		if err := await(b, state).err; !errors.Is(err, watch.ErrStopped) {
			t.Errorf("busy %v: %v", busy, err)
		}
		held.Cancel()
		if _, err := n.Next(b.ctx); !errors.Is(err, watch.ErrStopped) {
			t.Errorf("after Stop: %v", err)
		}
	}
}
