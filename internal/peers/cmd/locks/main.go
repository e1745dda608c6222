// Command locks measures locks of other libraries and of ours, in turn: clients with a session each
// take one lock and give it away at once, again and again. Alone that is an acquisition and a
// release; among several it is the time from one holder's release to the next one's return. The
// floor is one session that deletes a znode and another, with another server, that hears of it. As
// Markdown.
//
// With -clients 1000, a thousand wait. Each has a session of its own in every library, because a
// Mutex of etcd needs one for each that waits. The clients of a library are in one process, so the
// processor decides as much as the locks do, and a round takes minutes. So a thousand are measured
// only on request.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() {
	rounds := flag.Int("rounds", 3, "rounds of all of them")
	length := flag.Duration("for", 3*time.Second, "how long each of them takes the lock in a round")
	numbers := flag.String("clients", "1,2,16,100", "how many clients take turns: numbers, with commas")
	flag.Parse()
	var clients []int
	for number := range strings.SplitSeq(*numbers, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "locks: -clients is %q; want numbers from 1 on, with commas\n", *numbers)
			os.Exit(2)
		}
		clients = append(clients, n)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, clients, *rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
}

// row is one library's lock.
type row struct {
	name    string
	connect string
	take    func(ctx context.Context, l peers.Load) (peers.Locked, error)
}

func run(ctx context.Context, numbers []int, rounds int, length time.Duration) error {
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
	rows := []row{{"zkrecipe", e.ConnectString(), ours}, {"zk.Lock", e.ConnectString(), zkLock}}
	curator := peers.CuratorMutex.Newest()
	if peers.LockAvailable(ctx, curator) != nil {
		curator = peers.CuratorMutex
	}
	if err := peers.LockAvailable(ctx, curator); err != nil {
		fmt.Fprintln(os.Stderr, "locks: left out:", err)
	} else {
		rows = append(rows, row{"Curator's " + string(curator), e.ConnectString(), of(hosts, curator)})
	}
	if err := peers.Available(ctx, peers.Etcd); err != nil {
		fmt.Fprintln(os.Stderr, "locks: left out:", err)
	} else {
		cluster, err := hosts.StartEtcd(ctx)
		if err != nil {
			return err
		}
		defer cluster.Close()
		rows = append(rows, row{"etcd's concurrency.Mutex", cluster.Endpoints, of(hosts, peers.EtcdMutex)})
	}
	fmt.Printf("| clients | who | acquisitions/s | times zk.Lock | release to acquired, p50, ms | of the floor | failed |\n|---:|---|---:|---:|---:|---:|---:|\n")
	for _, clients := range numbers {
		if err := measure(ctx, e, rows, clients, rounds, length); err != nil {
			return err
		}
	}
	return nil
}

// measure prints the rows of so many clients: medians of the rounds.
func measure(ctx context.Context, e *ensemble.Ensemble, rows []row, clients, rounds int, length time.Duration) error {
	var floors []time.Duration
	rates, took, failed := map[string][]float64{}, map[string][]time.Duration{}, map[string]int{}
	for round := range rounds {
		d, err := floor(e, length/10)
		if err != nil {
			return err
		}
		floors = append(floors, d)
		for i, r := range rows {
			l := peers.Load{Connect: r.connect, Path: fmt.Sprintf("/locks-%d-%d-%d", clients, i, round), Clients: clients, For: length}
			locked, err := r.take(ctx, l)
			if err != nil {
				return fmt.Errorf("%s, %d clients: %w", r.name, clients, err)
			}
			rates[r.name] = append(rates[r.name], float64(locked.Acquired)/length.Seconds())
			took[r.name] = append(took[r.name], locked.HandOver)
			failed[r.name] += locked.Failed
		}
	}
	base := median(floors)
	fmt.Printf("| %d | floor | | | %.2f | 1.00 | |\n", clients, millis(base))
	for _, r := range rows {
		rate, handOver := median(rates[r.name]), median(took[r.name])
		fmt.Printf("| %d | %s | %.0f | %.2f | %.2f | %.2f | %d |\n", clients, r.name, rate, rate/median(rates["zk.Lock"]),
			millis(handOver), float64(handOver)/float64(base), failed[r.name])
	}
	return nil
}

func median[T float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// of is another library's lock in a process.
func of(hosts *peers.Hosts, k peers.LockKind) func(context.Context, peers.Load) (peers.Locked, error) {
	return func(ctx context.Context, l peers.Load) (peers.Locked, error) { return hosts.Lock(ctx, k, l) }
}

// clock tells the hand-overs of one lock.
type clock struct {
	mu       sync.Mutex // guards what follows
	begin    time.Time
	end      time.Time
	released time.Time
	took     []time.Duration
	failed   int
}

// acquired notes that a client has just acquired the lock, and is about to release it.
func (c *clock) acquired() {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.released.IsZero() && now.After(c.begin) && now.Before(c.end) {
		c.took = append(c.took, now.Sub(c.released))
	}
	c.released = time.Now()
}

// all lets each of the clients take the lock until the end.
func (c *clock) all(l peers.Load, turns []func() error) peers.Locked {
	c.begin = time.Now().Add(l.WarmUp())
	c.end = c.begin.Add(l.For)
	var locking sync.WaitGroup
	for _, turn := range turns {
		locking.Go(func() {
			for time.Now().Before(c.end) {
				if turn() != nil {
					c.mu.Lock()
					c.failed++
					c.mu.Unlock()
				}
			}
		})
	}
	locking.Wait()
	if len(c.took) == 0 {
		return peers.Locked{Failed: c.failed}
	}
	return peers.Locked{Acquired: len(c.took), Failed: c.failed, HandOver: median(c.took)}
}

// ours are clients of this library, in this process.
func ours(ctx context.Context, l peers.Load) (peers.Locked, error) {
	var c clock
	var turns []func() error
	for i := range l.Clients {
		client, err := session.Open(strings.Split(l.Connect, ",")[i%3], session.Config{Timeout: 10 * time.Second})
		if err != nil {
			return peers.Locked{}, err
		}
		defer client.Close()
		if _, err := client.Session(ctx); err != nil {
			return peers.Locked{}, err
		}
		one, err := lock.New(client, l.Path, lock.Config{})
		if err != nil {
			return peers.Locked{}, err
		}
		turns = append(turns, func() error {
			h, err := one.Acquire(ctx)
			if err != nil {
				return err
			}
			c.acquired()
			return h.Release(ctx)
		})
	}
	return c.all(l, turns), nil
}

type silence struct{}

func (silence) Printf(string, ...any) {}

// zkLock are sessions of the zk package with its lock, in this process.
func zkLock(ctx context.Context, l peers.Load) (peers.Locked, error) {
	var c clock
	var turns []func() error
	for i := range l.Clients {
		conn, err := dial(strings.Split(l.Connect, ",")[i%3])
		if err != nil {
			return peers.Locked{}, err
		}
		defer conn.Close()
		one := zk.NewLock(conn, l.Path, zk.WorldACL(zk.PermAll))
		turns = append(turns, func() error {
			if err := one.Lock(); err != nil {
				return err
			}
			c.acquired()
			return one.Unlock()
		})
	}
	return c.all(l, turns), nil
}

func dial(server string) (*zk.Conn, error) {
	conn, _, err := zk.Connect([]string{server}, 10*time.Second, zk.WithLogger(silence{}))
	if err != nil {
		return nil, err
	}
	if _, _, err := conn.Exists("/"); err != nil { // it waits for a session
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// floor is the median time from the request that deletes a znode until a session with another
// server has the event.
func floor(e *ensemble.Ensemble, length time.Duration) (time.Duration, error) {
	leaver, err := dial(e.Addrs()[0])
	if err != nil {
		return 0, err
	}
	defer leaver.Close()
	waiter, err := dial(e.Addrs()[1])
	if err != nil {
		return 0, err
	}
	defer waiter.Close()
	var took []time.Duration
	for end := time.Now().Add(length); time.Now().Before(end) || len(took) < 20; {
		node, err := leaver.Create("/floor-", []byte("contender"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
		if err == nil {
			_, err = waiter.Sync("/")
		}
		if err != nil {
			return 0, err
		}
		_, _, gone, err := waiter.GetW(node)
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		if err := leaver.Delete(node, -1); err != nil {
			return 0, err
		}
		<-gone
		took = append(took, time.Since(begun))
	}
	return median(took), nil
}
