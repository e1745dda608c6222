package peers

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// Clients of each library take a lock or a semaphore in turn. With a rest they take it less often
// than the rests allow, which is far less often than without.
func TestClientsOfOtherLocksRestAfterEachHandOver(t *testing.T) {
	const length = 2 * time.Second
	for _, k := range []LockKind{CuratorMutex, CuratorSemaphore, KazooSemaphore} {
		for _, k := range []LockKind{k, k.Newest()} {
			t.Run(string(k), func(t *testing.T) {
				need.That(t, func() error { return LockAvailable(t.Context(), k) })
				t.Parallel()
				ctx := bounded(t)
				for _, rest := range []time.Duration{0, 50 * time.Millisecond} {
					l := Load{Connect: shared(t).ConnectString(), Path: "/" + t.Name() + rest.String(), Clients: 5, For: length, Rest: rest}
					if k != CuratorMutex && k != CuratorMutex.Newest() {
						l.Permits = 3
					}
					got, err := hosts.Lock(ctx, k, l)
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
			})
		}
	}
}
