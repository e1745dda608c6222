// Command locks measures locks and semaphores of other libraries and of ours, in turn. Clients with
// a session each take one lock again and again. The floor is one session that deletes a znode and
// another, with another server, that hears of it. As Markdown, in four tables:
//
//   - Each client gives the lock away at once. Alone that is an acquisition and a release; among
//     several it is the time from one holder's release to the next one's return.
//   - The same, but each hand-over begins after a rest. The floor rests, too: right after other
//     traffic a server answers faster.
//   - The same with a semaphore: the one that has held its permit for longest releases it.
//   - Processes with one client each share a lock that each of them gives away at once. A proxy
//     before each server delays each message by -delay. What they acquire together is counted, and
//     compared with a lock without protection, see package unprotected. No times: nobody compares
//     the clocks of the processes.
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
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	do := run
	if len(os.Args) > 2 && os.Args[1] == asClients {
		do = func(ctx context.Context, args []string) error {
			return beClients(ctx, args[1], args[2:])
		}
	}
	if err := do(ctx, os.Args[1:]); err != nil {
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
	processes := flag.String("processes", "16", "how many processes take the lock without a rest")
	delay := flag.Duration("delay", time.Millisecond, "how late each message to and from those processes is")
	if err := flag.Parse(args); err != nil {
		return err
	}
	tables := []*table{
		{name: "lock", of: "clients", base: "zk.Lock"},
		{name: "rested", of: "clients", base: "zk.Lock", rest: *rest},
		{name: "semaphore", of: "waiting", base: "zkrecipe", rest: *rest, permits: permits},
		{name: "processes", of: "processes", base: "zk.Lock", processes: true, delay: *delay},
	}
	for i, text := range []string{*clients, *rested, *waiting, *processes} {
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
	bare := row{"a lock without protection", e.ConnectString(), own("unprotected")}
	far, closeProxies, err := delayed(append([]row{bare}, mutexes[1:]...), *delay)
	if err != nil {
		return err
	}
	defer closeProxies()
	for i, rows := range [][]row{mutexes, mutexes, semaphores, far} {
		t := tables[i]
		t.rows = rows
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
	mutexes = []row{
		{"floor", connect, floor},
		{"zkrecipe", connect, own("lock")},
		{"zk.Lock", connect, own("zk.Lock")},
	}
	semaphores = []row{{"floor", connect, floor}, {"zkrecipe", connect, own("semaphore")}}
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

// delayed returns the rows with a proxy before each of their servers, which delays each message.
// With no delay there is no proxy.
func delayed(rows []row, delay time.Duration) (far []row, done func(), err error) {
	proxies := map[string]*faultproxy.Proxy{} // by server
	done = func() {
		for _, p := range proxies {
			p.Close()
		}
	}
	if delay == 0 {
		return rows, done, nil
	}
	for _, r := range rows {
		var connect []string
		for server := range strings.SplitSeq(r.connect, ",") {
			address := strings.TrimPrefix(server, "http://") // etcd's
			if proxies[address] == nil {
				p, err := faultproxy.New(address)
				if err != nil {
					done()
					return nil, nil, err
				}
				p.Raw()
				p.Delay(faultproxy.Both, delay)
				proxies[address] = p
			}
			connect = append(connect, strings.Replace(server, address, proxies[address].Addr(), 1))
		}
		r.connect = strings.Join(connect, ",")
		far = append(far, r)
	}
	return far, done, nil
}

// theirs is another library's lock in processes.
func theirs(hosts *peers.Hosts, k peers.LockKind) func(context.Context, peers.Load) (peers.Locked, error) {
	return func(ctx context.Context, l peers.Load) (peers.Locked, error) { return hosts.Lock(ctx, k, l) }
}
