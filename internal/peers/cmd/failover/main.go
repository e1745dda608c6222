//go:build linux

// Failover measures how long candidates of this library and of others, as processes, are without a
// leader: when it resigns, again and again in quick succession, and after faults of the leader, of
// leader and heir, of all servers, and of a process that leads many elections. All kinds are
// measured in one run on three real servers, with the same time after which a silent leader may be
// replaced.
//
//	make compare
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// timeout is the session timeout, the TTL of etcd's lease, and LeaseDuration of client-go. The
// lease of ours is half of it.
const (
	timeout = 4 * time.Second
	lease   = timeout / 2
)

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

// lab is what is measured, and where.
type lab struct {
	hosts   *peers.Hosts
	kinds   []peers.Kind
	servers *ensemble.Ensemble
	etcd    *peers.EtcdCluster // nil if no kind needs it

	times, handOvers, deaths, elections int

	paths atomic.Int64 // how many there have been
}

// path is an election's that nobody has used yet.
func (l *lab) path(k peers.Kind) string {
	return fmt.Sprintf("/failover-%x-%d", string(k), l.paths.Add(1))
}

func run(ctx context.Context, args []string) error {
	l := &lab{}
	flag := flag.NewFlagSet("failover", flag.ContinueOnError)
	flag.IntVar(&l.times, "times", 12, "how often each fault strikes each kind")
	flag.IntVar(&l.handOvers, "hand-overs", 60, "hand-overs of each kind")
	flag.IntVar(&l.deaths, "deaths", 5, "how often one of each kind that leads many elections is killed")
	flag.IntVar(&l.elections, "elections", 1000, "how many it leads")
	realtime := flag.Int("realtime", 0, "`priority` of all measured processes in SCHED_RR, so that others' work does not disturb; 0: none")
	kinds := flag.String("kinds", "", "of candidates, separated by commas; default all")
	names := flag.String("faults", "", "those whose names match this regular `expression`; default all")
	if err := flag.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*names)
	if err != nil {
		return err
	}
	l.kinds = everybody
	if *kinds != "" {
		l.kinds = nil
		for _, k := range strings.Split(*kinds, ",") {
			l.kinds = append(l.kinds, peers.Kind(k))
		}
	}
	if l.hosts, err = peers.NewHosts(); err != nil {
		return err
	}
	defer l.hosts.Close()
	if err := l.build(ctx); err != nil {
		return err
	}
	if err := prioritize(*realtime); err != nil {
		return err
	}
	defer l.stopServers()
	if err := l.startServers(ctx); err != nil {
		return err
	}
	for _, f := range faults {
		if !chosen.MatchString(f.name) {
			continue
		}
		begun := time.Now()
		all, err := f.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		print(f.name, f.format, all)
		fmt.Fprintf(os.Stderr, "%s: %v\n", f.name, time.Since(begun).Round(time.Second))
	}
	return nil
}

// build builds all programs before anything is measured, and leaves out what cannot be run here.
func (l *lab) build(ctx context.Context) error {
	var able []peers.Kind
	for _, k := range l.kinds {
		if err := peers.Available(ctx, k); err != nil {
			fmt.Fprintln(os.Stderr, "SKIP:", err)
			continue
		}
		for _, elections := range []int{1, l.elections} {
			if k.OnEtcd() && elections > 1 {
				continue
			}
			if _, err := l.hosts.Command(ctx, k, peers.Config{Timeout: timeout, Elections: elections}); err != nil {
				return err
			}
		}
		able = append(able, k)
	}
	l.kinds = able
	return nil
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

func (l *lab) startServers(ctx context.Context) (err error) {
	// A tick of 500 ms, so that a session of 4 s is granted. While all servers stand still no
	// follower may give its leader up: see SyncLimit.
	if l.servers, err = ensemble.Start(ctx, ensemble.Config{SyncLimit: 2 * int(longStandstill/(500*time.Millisecond))}); err != nil {
		return err
	}
	if l.servers.External() {
		return ensemble.ErrExternal // they cannot be stopped
	}
	if slices.ContainsFunc(l.kinds, peers.Kind.OnEtcd) {
		l.etcd, err = l.hosts.StartEtcd(ctx)
	}
	return err
}

func (l *lab) stopServers() {
	if l.servers != nil {
		l.servers.Close()
	}
	if l.etcd != nil {
		l.etcd.Close()
	}
}

// connect is the servers of a kind.
func (l *lab) connect(k peers.Kind) string {
	if k.OnEtcd() {
		return l.etcd.Endpoints
	}
	return l.servers.ConnectString()
}
