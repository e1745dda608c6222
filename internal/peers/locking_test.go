package peers

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// Clients of each library take a lock or a semaphore in turn.
func TestClientsOfOtherLocksRestAfterEachHandOver(t *testing.T) {
	for _, c := range []struct {
		kind    LockKind
		permits int
	}{{CuratorMutex, 1}, {CuratorSemaphore, 3}, {KazooSemaphore, 3}} {
		for _, k := range []LockKind{c.kind, c.kind.Newest()} {
			t.Run(string(k), func(t *testing.T) {
				need.That(t, func() error { return LockAvailable(t.Context(), k) })
				t.Parallel()
				rests(bounded(t), t, k, shared(t).ConnectString(), c.permits)
			})
		}
	}
}

// rests lets five clients take it without a rest, and with one. Then they take it less often than
// the rests allow, which is far less often than without.
func rests(ctx context.Context, t *testing.T, k LockKind, connect string, permits int) {
	t.Helper()
	const length = 2 * time.Second
	for _, rest := range []time.Duration{0, length / 8} {
		got, err := hosts.Lock(ctx, k, Load{Connect: connect, Path: "/" + t.Name() + rest.String(), Clients: 5, For: length,
			Rest: rest, Permits: permits})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a rest of %v: %+v", rest, got)
		if got.Acquired == 0 || got.Failed > 0 || got.HandOver <= 0 {
			t.Errorf("a rest of %v: %+v", rest, got)
		}
		if rest > 0 && got.Acquired > int(length/rest) {
			t.Errorf("a rest of %v: %d hand-overs in %v", rest, got.Acquired, length)
		}
	}
}
