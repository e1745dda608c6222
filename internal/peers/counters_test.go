package peers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

// ourCounter is a counter of this library, on a client of its own.
func ourCounter(t *testing.T, connect, path string, encoding value.Encoding) *value.Counter {
	t.Helper()
	client, err := session.Open(connect, session.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	n, err := value.NewCounter(client, path, value.CounterConfig{Encoding: encoding})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var counterKinds = map[value.Encoding][]CounterKind{
	value.EncodingDecimal: {KazooCounter},
	value.EncodingInt64:   {AtomicLong},
	value.EncodingInt32:   {SharedCount, KazooCuratorCounter},
}

// Counters of all libraries add to one znode at the same time, and the sum is right while no answer
// is lost.
func TestCountersOfAllLibrariesShareAZnode(t *testing.T) {
	const each = 30
	for encoding, kinds := range counterKinds {
		t.Run(encoding.String(), func(t *testing.T) {
			ctx, path := bounded(t), fmt.Sprintf("/shared-%d", encoding)
			connect := shared(t).ConnectString()
			var all sync.WaitGroup
			for range 2 {
				n := ourCounter(t, connect, path, encoding)
				all.Go(func() {
					for range each {
						if _, err := n.Add(ctx, 1); err != nil {
							t.Error(err)
						}
					}
				})
			}
			want := int64(2 * each)
			for _, k := range kinds {
				needCounter(t, k)
				want += 2 * each
				all.Go(func() {
					a, err := hosts.Count(ctx, k, Load{Connect: connect, Path: path, Clients: 2, For: patience / 2, Most: each})
					if err != nil || a.Added != 2*each {
						t.Errorf("%s: %+v, %v; want %d added", k, a, err, 2*each)
					}
				})
			}
			all.Wait()
			if got, err := ourCounter(t, connect, path, encoding).Get(ctx); got != want || err != nil {
				t.Errorf("the counter is %d, %v; want %d", got, err, want)
			}
		})
	}
}

// When an answer is lost, the counters of the others count again. Those of this library do not.
func TestAPeersCounterCountsTwiceWhenAnAnswerIsLost(t *testing.T) {
	const each = 30
	for encoding, kinds := range counterKinds {
		for _, k := range kinds {
			t.Run(string(k), func(t *testing.T) {
				needCounter(t, k)
				ctx, path := bounded(t), "/lost-"+string(k)
				proxy := faultproxy.ForTest(t, shared(t).Addrs()[0])
				for n := 5; n < each; n += 10 {
					proxy.LoseReply(faultproxy.OpSetData, n)
				}
				a, err := hosts.Count(ctx, k, Load{Connect: proxy.Addr(), Path: path, Clients: 1, For: patience / 2, Most: each})
				if err != nil {
					t.Fatal(err)
				}
				got, err := ourCounter(t, shared(t).ConnectString(), path, encoding).Get(ctx)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %d added, %d failed; the counter is %d", k, a.Added, a.Failed, got)
				if got <= int64(a.Added) {
					t.Errorf("%s counts right: say so in recipe/value's documentation", k)
				}
			})
		}
	}
}

// needCounter ends the test where this machine cannot run a kind.
func needCounter(t *testing.T, k CounterKind) {
	t.Helper()
	need.That(t, func() error { return CounterAvailable(t.Context(), k) })
}

func shared(t *testing.T) *ensemble.Ensemble {
	t.Helper()
	return ensemble.Shared(t, ensemble.Config{})
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
