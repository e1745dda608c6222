// Command locks measures locks and semaphores of other libraries and of ours, in turn. Clients with
// a session each take one lock again and again. The floor is one session that deletes a znode and
// another, with another server, that hears of it. As Markdown, in three tables:
//
//   - Each client gives the lock away at once. Alone that is an acquisition and a release; among
//     several it is the time from one holder's release to the next one's return.
//   - The same, but each hand-over begins after a rest. The floor rests, too: right after other
//     traffic a server answers faster.
//   - The same with a semaphore: the one that has held its permit for longest releases it.
//
// With -clients 1000 or -rested 1000, a thousand wait. Each has a session of its own in every
// library, because a Mutex of etcd needs one for each that waits. The clients of a library are in
// one process, so the processor decides as much as the locks do, and a round takes minutes. So a
// thousand are measured only on request.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
}

// permits is the size of the semaphore.
const permits = 10

func run(ctx context.Context, args []string) error {
	flag := flag.NewFlagSet("locks", flag.ContinueOnError)
	rounds := flag.Int("rounds", 3, "rounds of all of them")
	length := flag.Duration("for", 3*time.Second, "how long each of them takes the lock in a round")
	rest := flag.Duration("rest", 20*time.Millisecond, "how long after a hand-over the next one begins")
	clients := flag.String("clients", "1,2,16,100", "how many take the lock without a rest: numbers, with commas, or nothing")
	rested := flag.String("rested", "2,10,100", "how many take it with a rest")
	waiting := flag.String("waiting", "100", fmt.Sprintf("how many wait for a semaphore of %d, with a rest", permits))
	if err := flag.Parse(args); err != nil {
		return err
	}
	tables := []*table{
		{name: "lock", of: "clients", base: "zk.Lock"},
		{name: "rested", of: "clients", base: "zk.Lock", rest: *rest},
		{name: "semaphore", of: "waiting", base: "zkrecipe", rest: *rest, permits: permits},
	}
	for i, text := range []string{*clients, *rested, *waiting} {
		var err error
		if tables[i].numbers, err = numbers(text); err != nil {
			return err
		}
	}
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
	mutexes, semaphores, done, err := everybody(ctx, e.ConnectString(), hosts)
	if err != nil {
		return err
	}
	defer done()
	tables[0].rows, tables[1].rows, tables[2].rows = mutexes, mutexes, semaphores
	for _, t := range tables {
		if err := t.measure(ctx, *rounds, *length); err != nil {
			return err
		}
	}
	return nil
}

// numbers reads positive numbers with commas between them.
func numbers(text string) (all []int, err error) {
	if text == "" {
		return nil, nil
	}
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want numbers from 1 on, with commas", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// row is one library's lock or semaphore. The first row of a table is the floor.
type row struct {
	name    string
	connect string
	take    func(ctx context.Context, l peers.Load) (peers.Locked, error)
}

// everybody returns the rows of the tables: those that this machine can run. done ends the servers
// that some of them need.
func everybody(ctx context.Context, connect string, hosts *peers.Hosts) (mutexes, semaphores []row, done func(), err error) {
	done = func() {}
	mutexes = []row{{"floor", connect, floor}, {"zkrecipe", connect, ourLock}, {"zk.Lock", connect, zkLock}}
	semaphores = []row{{"floor", connect, floor}, {"zkrecipe", connect, ourSemaphore}}
	of := func(library string, k peers.LockKind) []row {
		newest := k.Newest()
		if peers.LockAvailable(ctx, newest) == nil {
			k = newest
		}
		if err := peers.LockAvailable(ctx, k); err != nil {
			fmt.Fprintln(os.Stderr, "locks: left out:", err)
			return nil
		}
		return []row{{library + "'s " + string(k), connect, theirs(hosts, k)}}
	}
	mutexes = append(mutexes, of("Curator", peers.CuratorMutex)...)
	semaphores = append(semaphores, of("Curator", peers.CuratorSemaphore)...)
	semaphores = append(semaphores, of("kazoo", peers.KazooSemaphore)...)
	if err := peers.Available(ctx, peers.Etcd); err != nil {
		fmt.Fprintln(os.Stderr, "locks: left out:", err)
		return mutexes, semaphores, done, nil
	}
	cluster, err := hosts.StartEtcd(ctx)
	if err != nil {
		return nil, nil, done, err
	}
	etcd := row{"etcd's concurrency.Mutex", cluster.Endpoints, theirs(hosts, peers.EtcdMutex)}
	return append(mutexes, etcd), semaphores, func() { cluster.Close() }, nil
}

// theirs is another library's lock in a process.
func theirs(hosts *peers.Hosts, k peers.LockKind) func(context.Context, peers.Load) (peers.Locked, error) {
	return func(ctx context.Context, l peers.Load) (peers.Locked, error) { return hosts.Lock(ctx, k, l) }
}
