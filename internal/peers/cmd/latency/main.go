// Command latency measures graceful failover of other libraries' candidates and of ours, as
// processes, in turn, beside the floor: one session deleting a znode and another one, with another
// server, hearing of it. Each candidate and each session of the floor has a proxy of its own in
// front of its server, which stamps the delete request.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sys/unix"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

const (
	timeout      = 4 * time.Second
	floorTimeout = 10 * time.Second // nothing depends on it but that the session lives
	paths        = "/latency-"      // what the elections' paths begin with
)

type silence struct{}

func (silence) Printf(string, ...any) {}

func main() {
	rounds := flag.Int("rounds", 200, "failovers of each kind")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// now reads the clock that candidates stamp their lines with.
func now() int64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail on Linux
	return t.Nano()
}

// way is a proxy that remembers when it was last given a request by which a candidate leaves: a
// delete request, or ours, a multi that begins with the record on the election's path.
type way struct {
	*faultproxy.Proxy
	left atomic.Int64
}

func newWay(server string) (*way, error) {
	p, err := faultproxy.New(server)
	if err != nil {
		return nil, err
	}
	w := &way{Proxy: p}
	p.OnFrame(func(f faultproxy.Frame) {
		leaves := f.Op == faultproxy.OpDelete ||
			f.Op == faultproxy.OpMulti && f.First == faultproxy.OpSetData && strings.HasPrefix(f.Path, paths)
		if leaves && f.Dir == faultproxy.ToServer {
			w.left.Store(now())
		}
	})
	return w, nil
}

func run(ctx context.Context, rounds int) error {
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
	base, err := newFloor(e)
	if err != nil {
		return err
	}
	defer base.close()
	var lines []*line
	for _, k := range []peers.Kind{peers.OursLatch, peers.LeaderLatch, peers.ZkLock, peers.Kazoo} {
		if err := peers.Available(ctx, k); err != nil {
			fmt.Fprintln(os.Stderr, "latency: left out:", err)
			continue
		}
		l, err := form(ctx, hosts, e, k)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		defer l.close()
		lines = append(lines, l)
	}
	for turn := range rounds {
		time.Sleep(timeout / 4) // until there is an heir, and all are at rest
		if err := base.once(turn); err != nil {
			fmt.Fprintln(os.Stderr, "latency: one turn is left out:", err) // an overloaded machine
			continue
		}
		for _, l := range lines {
			// On an overloaded machine a leader is deposed just before it is to resign.
			if err := l.handOver(ctx); err != nil && !errors.Is(err, errNothing) {
				return fmt.Errorf("%s: %w", l.kind, err)
			}
		}
	}
	fmt.Printf("| who | p50, ms | p95 | p50/floor | p95/floor |\n|---|---|---|---|---|\n")
	row := func(name string, took []int64) {
		p50, p95 := at(took, 0.5), at(took, 0.95)
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", name, p50/1e6, p95/1e6, p50/at(base.took, 0.5), p95/at(base.took, 0.95))
	}
	row("floor", base.took)
	for _, l := range lines {
		row(string(l.kind), l.took)
	}
	return nil
}

// at returns a quantile.
func at(took []int64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(took))
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

// line is three candidates of a kind, on three servers.
type line struct {
	kind    peers.Kind
	ways    map[string]*way // by candidate
	all     map[string]*peers.Peer
	elected chan peers.Line
	joined  chan struct{}
	leader  string
	took    []int64 // ns
}

func form(ctx context.Context, hosts *peers.Hosts, e *ensemble.Ensemble, k peers.Kind) (l *line, err error) {
	l = &line{kind: k, ways: map[string]*way{}, all: map[string]*peers.Peer{},
		elected: make(chan peers.Line, 100), joined: make(chan struct{}, 100)}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	for i, server := range e.Addrs() {
		id := fmt.Sprintf("candidate-%d", i)
		if l.ways[id], err = newWay(server); err != nil {
			return l, err
		}
		l.all[id], err = hosts.Start(ctx, k, peers.Config{
			Connect: l.ways[id].Addr(), Path: paths + fmt.Sprintf("%x", string(k)), ID: id, Timeout: timeout, Beat: time.Second,
			OnLine: func(line peers.Line) {
				switch line.Event {
				case "elected":
					l.elected <- line
				case "joined":
					l.joined <- struct{}{}
				}
			}})
		if err != nil {
			return l, err
		}
		if _, err := await(ctx, l.joined); err != nil {
			return l, err
		}
	}
	first, err := await(ctx, l.elected)
	l.leader = first.ID
	return l, err
}

// patience bounds whatever should be over in a moment.
const patience = 15 * time.Second

var errNothing = fmt.Errorf("nothing has happened for %v", patience)

func await[T any](ctx context.Context, c <-chan T) (v T, err error) {
	select {
	case v = <-c:
		return v, nil
	case <-time.After(patience):
		return v, errNothing
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}

// handOver makes the leader resign, and waits until it stands in line again.
func (l *line) handOver(ctx context.Context) error {
	for len(l.elected) > 0 { // one that was deposed on an overloaded machine
		l.leader = (<-l.elected).ID
	}
	for len(l.joined) > 0 {
		<-l.joined
	}
	former := l.leader
	if err := l.all[former].Send("resign"); err != nil {
		return err
	}
	next, err := await(ctx, l.elected)
	if err != nil {
		return err
	}
	if left := l.ways[former].left.Swap(0); next.ID != former {
		if left == 0 {
			return fmt.Errorf("%s has left by a request that is not known", former)
		}
		l.took = append(l.took, next.T-left)
	}
	l.leader = next.ID
	_, err = await(ctx, l.joined)
	return err
}

func (l *line) close() {
	for _, p := range l.all {
		p.Kill()
	}
	for _, w := range l.ways {
		w.Close()
	}
}

// floor is a session for each server.
type floor struct {
	ways  []*way
	conns []*zk.Conn
	took  []int64
}

func newFloor(e *ensemble.Ensemble) (*floor, error) {
	f := &floor{}
	for _, server := range e.Addrs() {
		w, err := newWay(server)
		if err != nil {
			f.close()
			return nil, err
		}
		f.ways = append(f.ways, w)
		conn, _, err := zk.Connect([]string{w.Addr()}, floorTimeout, zk.WithLogger(silence{}))
		if err != nil {
			f.close()
			return nil, err
		}
		f.conns = append(f.conns, conn)
	}
	return f, nil
}

func (f *floor) close() {
	for _, c := range f.conns {
		c.Close()
	}
	for _, w := range f.ways {
		w.Close()
	}
}

func (f *floor) once(turn int) error {
	from, to := turn%len(f.conns), (turn+1)%len(f.conns)
	name := "/_c_00000000-0000-4000-8000-000000000000-latch-"
	node, err := f.conns[from].Create(name, []byte("candidate"), zk.FlagEphemeralSequential, zk.WorldACL(zk.PermAll))
	if err != nil {
		return err
	}
	if _, err := f.conns[to].Sync(node); err != nil {
		return err
	}
	_, _, gone, err := f.conns[to].GetW(node)
	if err != nil {
		return err
	}
	heard := make(chan int64, 1)
	go func() {
		<-gone
		heard <- now()
	}()
	time.Sleep(3 * time.Millisecond) // from rest, as the others
	if err := f.conns[from].Delete(node, -1); err != nil {
		return err
	}
	f.took = append(f.took, <-heard-f.ways[from].left.Load())
	return nil
}
