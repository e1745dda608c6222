package peers

import (
	"context"
	"fmt"
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
	for _, most := range []int{0, 8} { // the load is so many rests long; without rests if 0
		var got Locked
		for length := 2 * time.Second; got.Acquired == 0; length *= 2 { // longer on a busy machine
			l := Load{Connect: connect, Path: fmt.Sprintf("/%s-%d-%v", t.Name(), most, length), Clients: 5, For: length, Permits: permits}
			if most > 0 {
				l.Rest = length / time.Duration(most)
			}
			var err error
			if got, err = hosts.Lock(ctx, k, l); err != nil {
				t.Fatal(err)
			}
			t.Logf("a rest of %v: %+v", l.Rest, got)
		}
		if got.Failed > 0 || got.HandOver <= 0 || most > 0 && got.Acquired > most {
			t.Errorf("%+v; want no failure, and at most %d hand-overs if that is not 0", got, most)
		}
	}
}
