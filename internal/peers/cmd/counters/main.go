// Command counters measures how many additions to one counter per second clients of other libraries
// and of ours make, in turn, beside the floor: one session that sets a znode at the version that
// its last set has made. As Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of all of them")
	clients := flag.Int("clients", 16, "clients of one counter, each with a session of its own")
	length := flag.Duration("for", 5*time.Second, "how long each of them adds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *clients, *length); err != nil {
		fmt.Fprintln(os.Stderr, "counters:", err)
		os.Exit(1)
	}
}

// row is one way to count.
type row struct {
	name  string
	count func(ctx context.Context, l peers.Load) (peers.Added, error)
	rates []float64 // per second
	gave  int       // additions that were given up
	added int
}

func run(ctx context.Context, rounds, clients int, length time.Duration) error {
	e, err := ensemble.Start(ctx, ensemble.Config{})
	if err != nil {
		return err
	}
	defer e.Close()
	hosts, err := peers.NewHosts()
	if err != nil {
		return err
	}
	defer hosts.Close()
	rows := []*row{
		{name: "floor: 1 session, set", count: floor},
		{name: "zkrecipe", count: func(ctx context.Context, l peers.Load) (peers.Added, error) { return ours(ctx, l, 1) }},
		{name: "zkrecipe, 1 client with as many goroutines", count: func(ctx context.Context, l peers.Load) (peers.Added, error) {
			n := l.Clients
			l.Clients = 1
			return ours(ctx, l, n)
		}},
	}
	for _, k := range []peers.CounterKind{peers.AtomicLong, peers.KazooCounter} {
		if err := peers.CounterAvailable(ctx, k); err != nil {
			fmt.Fprintln(os.Stderr, "counters: left out:", err)
			continue
		}
		rows = append(rows, &row{name: string(k), count: func(ctx context.Context, l peers.Load) (peers.Added, error) { return hosts.Count(ctx, k, l) }})
	}
	for round := range rounds {
		for i, r := range rows {
			a, err := r.count(ctx, peers.Load{Connect: e.ConnectString(), Path: fmt.Sprintf("/count-%d-%d", i, round),
				Clients: clients, For: length, Most: 1 << 30})
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.rates = append(r.rates, float64(a.Added)/length.Seconds())
			r.added += a.Added
			r.gave += a.Failed
		}
	}
	fmt.Printf("| %d clients | additions/s, p50 of %d rounds | least | most | of the floor | given up |\n|---|---:|---:|---:|---:|---:|\n", clients, rounds)
	base := median(rows[0].rates)
	for _, r := range rows {
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.2f | %.1f %% |\n", r.name, median(r.rates), slices.Min(r.rates), slices.Max(r.rates),
			median(r.rates)/base, 100*float64(r.gave)/float64(max(1, r.added+r.gave)))
	}
	return nil
}

func median(rates []float64) float64 {
	sorted := slices.Sorted(slices.Values(rates))
	return sorted[len(sorted)/2]
}

type silence struct{}

func (silence) Printf(string, ...any) {}

// floor is what one session can set, one after the other.
func floor(_ context.Context, l peers.Load) (peers.Added, error) {
	conn, _, err := zk.Connect([]string{l.Connect[:len("127.0.0.1:00000")]}, 10*time.Second, zk.WithLogger(silence{}))
	if err != nil {
		return peers.Added{}, err
	}
	defer conn.Close()
	if _, err := conn.Create(l.Path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return peers.Added{}, err
	}
	a := peers.Added{}
	for end := time.Now().Add(l.For); time.Now().Before(end); a.Added++ {
		if _, err := conn.Set(l.Path, []byte("12345678"), int32(a.Added)); err != nil {
			return a, err
		}
	}
	return a, nil
}

// ours are clients of this library, in this process, with so many goroutines each.
func ours(ctx context.Context, l peers.Load, goroutines int) (peers.Added, error) {
	var counters []*value.Counter
	for range l.Clients {
		client, err := session.Open(l.Connect, session.Config{Timeout: 10 * time.Second})
		if err != nil {
			return peers.Added{}, err
		}
		defer client.Close()
		if _, err := client.Session(ctx); err != nil {
			return peers.Added{}, err
		}
		n, err := value.NewCounter(client, l.Path, value.CounterConfig{Encoding: value.EncodingInt64})
		if err != nil {
			return peers.Added{}, err
		}
		counters = append(counters, n)
	}
	var mu sync.Mutex
	var all peers.Added
	var fewest, most int
	var group sync.WaitGroup
	end := time.Now().Add(l.For)
	for i := range l.Clients * goroutines {
		n := counters[i%l.Clients]
		group.Go(func() {
			var a peers.Added
			for time.Now().Before(end) {
				if _, err := n.Add(ctx, 1); err != nil {
					a.Failed++
				} else {
					a.Added++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.Added += a.Added
			all.Failed += a.Failed
			if fewest == 0 || a.Added < fewest {
				fewest = a.Added
			}
			most = max(most, a.Added)
		})
	}
	group.Wait()
	if os.Getenv("COUNTS") != "" {
		var c value.Counts
		for _, n := range counters {
			x := n.Counts()
			c.Changes += x.Changes
			c.Writes += x.Writes
			c.Conflicts += x.Conflicts
		}
		fmt.Fprintf(os.Stderr, "%+v fewest %d most %d\n", c, fewest, most)
	}
	return all, nil
}
