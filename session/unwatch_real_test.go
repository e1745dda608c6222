package session_test

import (
	"cmp"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// Servers can remove watches from 3.5.0 on, and have watches on whole trees from 3.6.0 on. An older
// server closes the connection when it is asked for one of these. Then there is one reconnect, and
// the lease goes on.
func TestRealServersOfEachReleaseKeepNoWatchesThatNobodyWants(t *testing.T) {
	const waits = 1000
	for _, c := range []struct {
		release    string
		left       int // of the abandoned waits, on data: a server does not count those on lists
		tree       int // the same for a tree that is read
		reconnects uint64
	}{
		{"3.4.14", waits, waits + 1, 0},
		{"3.5.10", 0, waits + 1, 1},
		{"", 0, 1, 0}, // Debian's 3.8.0
		{"3.9.5", 0, 1, 0},
	} {
		t.Run(cmp.Or(c.release, "installed"), func(t *testing.T) {
			if c.release == "" && (os.Getenv("ZOOKEEPER_VERSION") != "" || os.Getenv("ZK_SERVERS") != "") {
				t.Skip("the servers are of another release than expected")
			}
			x := proxied(t, ensemble.ForTest(t, ensemble.Config{Servers: 1, Version: c.release, MaxSessionTimeout: time.Minute}))
			client := x.open(patient)
			s := x.established(client)
			ctx := within(t, hang)
			_, l := held(t, s)
			before := serverWatches(t, x) // of the place
			must(t, s.EnsurePath(ctx, "/w", nil))
			paths := []string{"/w"}
			for i := range waits {
				path := fmt.Sprintf("/w/%d", i)
				must(t, s.EnsurePath(ctx, path, nil))
				abandon(t, s, path, false)
				paths = append(paths, path)
			}
			settles(t, "abandoned waits", c.left, func() int { return serverWatches(t, x) - before })
			if c.left > 0 { // they end with their connection
				x.proxies[0].Cut(false)
				settles(t, "after a cut", 1, func() int { return min(int(client.Status().Counts.Reconnects), 1) })
			}
			cuts := client.Status().Counts.Reconnects
			w := s.WatchTree("/w", 0, true, make(chan struct{}, 1))
			restore(t, s, w)
			for _, path := range paths {
				_, _, _, err := w.Get(ctx, path)
				must(t, err)
				_, _, _, err = w.Children(ctx, path)
				must(t, err)
			}
			settles(t, "for a tree", c.tree, func() int { return serverWatches(t, x) - before })
			w.Stop()
			if c.tree == 1 {
				settles(t, "after a tree", 0, func() int { return serverWatches(t, x) - before })
			}
			if n := client.Status().Counts.Reconnects - cuts; n != c.reconnects {
				t.Errorf("%d reconnects, want %d", n, c.reconnects)
			}
			if !l.Valid() {
				t.Error("the lease is lost")
			}
		})
	}
}

// patient is for a session that must not reconnect by itself when the machine is busy.
var patient = session.Config{Timeout: time.Minute, Lease: 30 * time.Second}

// settles waits until count returns want.
func settles(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	n := 0
	await.Until(t, fmt.Sprintf("count of %d, %s,", want, what), func() bool { n = count(); return n == want }, func() any { return n })
}

// Servers with the watch manager for very many watches have only one-shot watches. They say so.
func TestARealServerThatRefusesAWatchOnATreeIsAskedOnce(t *testing.T) {
	x := proxied(t, ensemble.ForTest(t, ensemble.Config{Servers: 1, MaxSessionTimeout: time.Minute,
		JVM: []string{"-Dzookeeper.watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized"}}))
	client := x.open(patient)
	s := x.established(client)
	ctx := within(t, hang)
	must(t, s.EnsurePath(ctx, "/w", nil))
	for range 3 {
		w := s.WatchTree("/w", 0, true, make(chan struct{}, 1))
		restore(t, s, w)
		_, _, _, err := w.Get(ctx, "/w")
		must(t, err)
		_, err = s.Set(ctx, "/w", nil, -1)
		must(t, err)
		if evs := w.Events(); len(evs) != 1 {
			t.Errorf("told %v", evs)
		}
		w.Stop()
	}
	abandon(t, s, "/w", false)
	settles(t, "an abandoned wait", 0, func() int { return serverWatches(t, x) })
	if n := client.Status().Counts.Reconnects; n != 1 {
		t.Errorf("%d reconnects, want one", n)
	}
}
