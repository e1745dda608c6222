//go:build linux

// Failover measures how long candidates of this library and of others, as processes, are without a
// leader: when the leader is killed, and when it resigns, again and again in quick succession. All
// of them are measured in one run, in turn, three candidates each, on three real servers, with the
// same time after which a silent leader may be replaced.
//
//	make compare
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// timeout is the session timeout, the TTL of etcd's lease, and LeaseDuration of client-go. The
// lease of ours is half of it.
const timeout = 4 * time.Second

var everybody = []peers.Kind{
	peers.OursLatch, peers.LeaderLatchNew, peers.LeaderLatch, peers.LeaderSelectorNew, peers.LeaderSelector,
	peers.KazooNew, peers.Kazoo, peers.ZkLock, peers.Etcd, peers.ClientGo,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flag := flag.NewFlagSet("failover", flag.ContinueOnError)
	crashes := flag.Int("crashes", 20, "crashes of each kind's leaders")
	handOvers := flag.Int("hand-overs", 60, "hand-overs of each kind")
	realtime := flag.Int("realtime", 0, "`priority` of all measured processes in SCHED_RR, so that others' work does not disturb; 0: none")
	kinds := flag.String("kinds", "", "of candidates, separated by commas; default all")
	if err := flag.Parse(args); err != nil {
		return err
	}
	chosen := everybody
	if *kinds != "" {
		chosen = nil
		for _, k := range strings.Split(*kinds, ",") {
			chosen = append(chosen, peers.Kind(k))
		}
	}
	hosts, err := peers.NewHosts()
	if err != nil {
		return err
	}
	defer hosts.Close()
	if chosen, err = build(ctx, hosts, chosen); err != nil {
		return err
	}
	if err := prioritize(*realtime); err != nil {
		return err
	}
	all, end, err := castAll(ctx, hosts, chosen)
	defer end()
	if err != nil {
		return err
	}
	if err := measure(ctx, all, *crashes, *handOvers); err != nil {
		return err
	}
	print(all)
	return nil
}

// build builds all programs before anything is measured, and leaves out what cannot be run here.
func build(ctx context.Context, hosts *peers.Hosts, kinds []peers.Kind) (able []peers.Kind, err error) {
	for _, k := range kinds {
		if err := peers.Available(ctx, k); err != nil {
			fmt.Fprintln(os.Stderr, "SKIP:", err)
			continue
		}
		if _, err := hosts.Command(ctx, k, peers.Config{Timeout: timeout}); err != nil {
			return nil, err
		}
		able = append(able, k)
	}
	return able, nil
}

// prioritize gives this process and its children a place before all others. Children inherit it
// from the thread that starts them.
func prioritize(priority int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || priority == 0 {
		return err
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: uint32(priority)}
		if err := unix.SchedSetAttr(tid, attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("real-time priority: %w", err)
		}
	}
	return nil
}

// castAll starts servers, and three candidates of each kind.
func castAll(ctx context.Context, hosts *peers.Hosts, kinds []peers.Kind) (all []*cast, end func(), err error) {
	var undo []func()
	end = func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	// A tick of 500 ms, so that a session of 4 s is granted.
	e, err := ensemble.Start(ctx, ensemble.Config{})
	if err != nil {
		return nil, end, err
	}
	undo = append(undo, func() { e.Close() })
	connect := map[bool]string{false: e.ConnectString()}
	if slices.ContainsFunc(kinds, peers.Kind.OnEtcd) {
		cluster, err := hosts.StartEtcd(ctx)
		if err != nil {
			return nil, end, err
		}
		undo = append(undo, func() { cluster.Close() })
		connect[true] = cluster.Endpoints
	}
	for _, k := range kinds {
		c := &cast{kind: k, hosts: hosts, connect: connect[k.OnEtcd()], all: map[string]*peers.Peer{}, lines: make(chan peers.Line, 1000)}
		undo = append(undo, c.end)
		if err := c.form(ctx); err != nil {
			return nil, end, fmt.Errorf("%s: %w", k, err)
		}
		all = append(all, c)
	}
	return all, end, nil
}

// blocks is in how many parts the measurements are divided, so that what disturbs the machine
// disturbs all kinds.
const blocks = 4

func measure(ctx context.Context, all []*cast, crashes, handOvers int) error {
	for range blocks {
		for _, c := range all {
			for range (handOvers + blocks - 1) / blocks {
				if err := c.handOver(ctx); err != nil {
					return fmt.Errorf("%s: %w", c.kind, err)
				}
			}
		}
		// Crashes are waited for, so all kinds have theirs at the same time.
		for range (crashes + blocks - 1) / blocks {
			errs := make([]error, len(all))
			var wg sync.WaitGroup
			for i, c := range all {
				wg.Go(func() { errs[i] = c.crash(ctx) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				return err
			}
		}
	}
	return nil
}

func print(all []*cast) {
	fmt.Printf("| candidates | kill -9 of the leader | nobody leads, ms (p50 / p95 / max) | hand-overs, %v apart | nobody leads, ms (p50 / p95 / max) |\n|---|---|---|---|---|\n", apart)
	for _, c := range all {
		fmt.Printf("| %s | %d | %s | %d | %s |\n", c, len(c.crashes), quantiles(c.crashes, "%.0f"), len(c.handOvers), quantiles(c.handOvers, "%.1f"))
	}
}

// quantiles writes milliseconds.
func quantiles(all []time.Duration, format string) string {
	if len(all) == 0 {
		return "–"
	}
	slices.SortFunc(all, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	at := func(q float64) string {
		return fmt.Sprintf(format, float64(all[min(int(q*float64(len(all))), len(all)-1)])/1e6)
	}
	return at(0.5) + " / " + at(0.95) + " / " + at(1)
}
