package lock_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// realClients returns n clients of real servers.
func realClients(t *testing.T, n int) (clients []*session.Client) {
	t.Helper()
	e := ensemble.Common(t)
	for range n {
		clients = append(clients, shared.Open(t, e.ConnectString(), session.Config{Timeout: 10 * time.Second}))
	}
	return clients
}

func realContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // guards against hanging; nothing is measured by it
	t.Cleanup(cancel)
	return ctx
}

// On real servers: turns, tokens that grow although the path comes and goes, and nothing left.
func TestRealContendersTakeTurns(t *testing.T) {
	ctx := realContext(t)
	var mu sync.Mutex // guards the two that follow
	inside, token := 0, int64(0)
	var running sync.WaitGroup
	for _, client := range realClients(t, 3) {
		l, err := lock.New(client, "/real-turns", lock.Config{Cleanup: true})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			for range 10 {
				err := l.Do(ctx, func(_ context.Context, h *lock.Held) error {
					mu.Lock()
					defer mu.Unlock()
					if inside++; inside > 1 || h.Token() <= token {
						t.Errorf("%d inside, token %d after %d", inside, h.Token(), token)
					}
					token = h.Token()
					inside--
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	s, err := realClients(t, 1)[0].Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.QuorumSync(ctx, "/"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Exists(ctx, "/real-turns"); err != nil || ok {
		t.Errorf("the path is there: %v, %v", ok, err)
	}
}

// A real server counts the create of the reader's znode as ours does: a contender that comes later
// does not take the number that was used up for a holder that vanished.
func TestARealDowngrade(t *testing.T) {
	ctx, clients := realContext(t), realClients(t, 2)
	var rws []*lock.RW
	for _, c := range clients {
		rw, err := lock.NewRW(c, "/real-rw", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		rws = append(rws, rw)
	}
	w, err := rws[0].Write().Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Downgrade(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rws[1].Write().TryAcquire(ctx)
	want(t, err, lock.ErrBusy)
	other, err := rws[1].Read().TryAcquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := rws[1].Read().Status().Counts.Withheld; n > 0 {
		t.Error("it has waited for a lease")
	}
	if !r.Valid() || !other.Valid() {
		t.Errorf("valid: %v and %v", r.Valid(), other.Valid())
	}
	release(t, r)
	release(t, other)
	next, err := rws[1].Write().TryAcquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	release(t, next)
}

// The znode of a holder goes without an announcement. A TryAcquire waits for the lease, and then
// has the lock.
func TestARealTryWaitsForALease(t *testing.T) {
	ctx, clients := realContext(t), realClients(t, 2)
	var ls []*lock.Lock
	for _, c := range clients {
		l, err := lock.New(c, "/real-try", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
	}
	first, err := ls[0].Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ls[1].TryAcquire(ctx)
	want(t, err, lock.ErrBusy)
	s, err := clients[1].Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureDeleted(ctx, first.Node()); err != nil {
		t.Fatal(err)
	}
	second, err := ls[1].TryAcquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if first.Valid() || !second.Valid() || second.Token() <= first.Token() {
		t.Errorf("valid: %v and %v, tokens %d and %d", first.Valid(), second.Valid(), first.Token(), second.Token())
	}
	if n := ls[1].Status().Counts.Withheld; n != 1 {
		t.Errorf("it has waited for %d leases; want 1", n)
	}
	release(t, second)
}

func TestSeveralRealLocks(t *testing.T) {
	ctx, clients := realContext(t), realClients(t, 2)
	var running sync.WaitGroup
	for i, paths := range [][]string{{"/real-x", "/real-y"}, {"/real-y", "/real-x"}} {
		ls := locks(t, clients[i], paths...)
		running.Go(func() {
			for range 10 {
				set, err := lock.All(ctx, ls...)
				if err != nil {
					t.Error(err)
					return
				}
				if !set.Valid() {
					t.Error("not all are held")
				}
				if err := set.Release(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
}
