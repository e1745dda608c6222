package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// revocable is a lock of ours, on a client of its own, and what its OnRevoke is told.
type revocable struct {
	*lock.Lock
	told chan *lock.Held
}

// ourRevocable makes one of a kind that Revocation.java knows, at the same path.
func ourRevocable(t *testing.T, connect, path, kind string) *revocable {
	t.Helper()
	client, err := session.Open(connect, session.Config{Timeout: unhurried})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	r := &revocable{told: make(chan *lock.Held, 10)}
	cfg := lock.Config{OnRevoke: func(h *lock.Held) { r.told <- h }}
	if kind == "lock" {
		r.Lock, err = lock.New(client, path, cfg)
		must(t, err)
		return r
	}
	rw, err := lock.NewRW(client, path, cfg)
	must(t, err)
	r.Lock = rw.Write()
	if kind == "read" {
		r.Lock = rw.Read()
	}
	return r
}

// queue waits for the lock in the background. It stands in line when queue returns.
func (r *revocable) queue(ctx context.Context, t *testing.T) <-chan *lock.Held {
	t.Helper()
	joined := make(chan struct{}, 10)
	stop := r.Subscribe(func(ev lock.Event) {
		if ev.Kind == lock.EventJoined {
			joined <- struct{}{}
		}
	})
	t.Cleanup(stop)
	got := make(chan *lock.Held, 1)
	go func() {
		h, err := r.Acquire(ctx)
		if err != nil {
			t.Error(err)
			close(got)
			return
		}
		got <- h
	}()
	select {
	case <-joined:
	case <-ctx.Done():
		t.Fatal("no place in line")
	}
	return got
}

// wasTold waits until OnRevoke is called with h.
func (r *revocable) wasTold(ctx context.Context, t *testing.T, h *lock.Held) {
	t.Helper()
	select {
	case got := <-r.told:
		if got != h {
			t.Errorf("told of %s; want %s", got.Node(), h.Node())
		}
	case <-ctx.Done():
		t.Fatal("OnRevoke is not called")
	}
}

// What is held is of the one library, and who asks for it of the other. Those of both who wait
// behind it wait on until it is released.
func TestARevocationIsUnderstoodByTheOtherLibrary(t *testing.T) {
	for _, kind := range []string{"lock", "write"} {
		t.Run(kind, func(t *testing.T) {
			bothCurators(t, func(ctx context.Context, t *testing.T, k Kind) {
				connect, path := shared(t).ConnectString(), fmt.Sprintf("/revocation-%x", time.Now().UnixNano())
				a, b := ourRevocable(t, connect, path, kind), ourRevocable(t, connect, path, kind)
				theirs := startJava(ctx, t, k, "Revocation", connect, path, kind)
				theirs.does(ctx, "acquire", "acquired")
				next := a.queue(ctx, t)
				last := b.queue(ctx, t)
				must(t, b.Revoke(ctx))
				theirs.says(ctx, "revoked")
				if len(next)+len(last) > 0 {
					t.Error("acquired beside Curator's holder")
				}
				theirs.does(ctx, "release", "released")

				h := <-next
				theirs.tell("acquire")
				theirs.does(ctx, "revoke", "asked")
				a.wasTold(ctx, t, h)
				if !h.Valid() || len(last) > 0 {
					t.Errorf("valid %v, %d have the lock besides", h.Valid(), len(last))
				}
				must(t, h.Release(ctx))
				h = <-last
				if len(b.told) > 0 {
					t.Error("who only waited was asked to release the lock")
				}
				must(t, h.Release(ctx))
				theirs.says(ctx, "acquired")
				theirs.does(ctx, "release", "released")
				theirs.end()
			})
		})
	}
}

// Readers of both libraries hold a lock. Ours asks them all, Curator the first.
func TestReadersOfBothLibrariesAreAskedToRelease(t *testing.T) {
	bothCurators(t, func(ctx context.Context, t *testing.T, k Kind) {
		connect, path := shared(t).ConnectString(), fmt.Sprintf("/revocation-%x", time.Now().UnixNano())
		reader, writer := ourRevocable(t, connect, path, "read"), ourRevocable(t, connect, path, "write")
		theirs := startJava(ctx, t, k, "Revocation", connect, path, "read")
		theirs.does(ctx, "acquire", "acquired")
		h, err := reader.Acquire(ctx)
		must(t, err)
		next := writer.queue(ctx, t)
		must(t, writer.Revoke(ctx))
		theirs.says(ctx, "revoked")
		reader.wasTold(ctx, t, h)
		theirs.does(ctx, "release", "released")
		must(t, h.Release(ctx))
		must(t, (<-next).Release(ctx))

		h, err = reader.Acquire(ctx)
		must(t, err)
		theirs.does(ctx, "acquire", "acquired")
		theirs.does(ctx, "revoke", "asked")
		reader.wasTold(ctx, t, h)
		must(t, h.Release(ctx))
		theirs.does(ctx, "release", "released")
		theirs.end()
	})
}
