package cache_test

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

// BenchmarkWatches compares a watch on the whole tree with one-shot ones, for 10 caches of -znodes
// znodes on one server of the newest release: how long a load takes, what the watches take of the
// server's heap, before a reconnect and after it, and what passes on the connection when a znode is
// created in a directory of 100, and for a reconnect in which 10 have changed.
func BenchmarkWatches(b *testing.B) {
	for _, mode := range []struct {
		name string
		keep func(string) bool // any that is set makes a cache use one-shot watches
	}{{"whole-tree", nil}, {"one-shot", func(string) bool { return true }}} {
		b.Run(mode.name, func(b *testing.B) {
			for b.Loop() {
				measureWatches(b, cache.Config{Keep: mode.keep, Recheck: -1, MaxNodes: 11_000})
			}
		})
	}
}

func measureWatches(b *testing.B, cfg cache.Config) {
	const caches = 10
	nodes := *znodes
	var log bytes.Buffer
	e := ensemble.ForTest(b, ensemble.Config{Servers: 1, Version: "3.9.5", Log: &log})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r := &realServers{t: b, ctx: ctx, servers: e}
	r.proxy = faultproxy.ForTest(b, e.Servers()[0].Addr())
	var clients []*session.Client
	for range caches {
		clients = append(clients, r.open(r.proxy.Addr()))
	}
	var err error
	r.admin, err = r.open(e.ConnectString()).Session(ctx)
	r.must(err)
	paths, err := plant(ctx, r.admin, "/r", nodes)
	r.must(err)
	for _, client := range clients {
		_, err := client.Session(ctx)
		r.must(err)
	}
	heap := serverHeap(b, log.String())
	var all []*cache.Cache
	var loads []float64
	for _, client := range clients {
		begun := time.Now()
		c, err := cache.New(client, "/r", cfg)
		r.must(err)
		r.must(c.Wait(ctx))
		loads = append(loads, time.Since(begun).Seconds()*1000)
		all = append(all, c)
	}
	fresh := func() {
		for _, c := range all {
			r.must(c.Fresh(ctx))
		}
	}
	fresh()
	slices.Sort(loads)
	b.ReportMetric(loads[len(loads)/2], "load-ms")
	b.ReportMetric(float64(serverHeap(b, log.String())-heap)/caches/1000, "server-kB/cache")
	requests, size := traffic(r.proxy)
	report := func(what string) {
		nowRequests, nowSize := traffic(r.proxy)
		b.ReportMetric((nowRequests-requests)/caches, what+"-requests")
		b.ReportMetric((nowSize-size)/caches/1000, what+"-kB")
		requests, size = nowRequests, nowSize
	}
	_, err = r.admin.Create(ctx, paths[1]+"/new", nil, 0, nil)
	r.must(err)
	fresh()
	report("create")
	r.proxy.Refuse(true)
	r.proxy.Cut(false)
	for _, path := range paths[len(paths)-10:] {
		_, err := r.admin.Set(ctx, path, []byte("new"), -1)
		r.must(err)
	}
	r.proxy.Refuse(false)
	fresh()
	report("reconnect")
	b.ReportMetric(float64(serverHeap(b, log.String())-heap)/caches/1000, "server-kB/cache-reconnected")
	for _, c := range all {
		c.Close()
	}
}

// traffic returns how many requests have passed a proxy, without pings, and how many bytes both
// ways.
func traffic(p *faultproxy.Proxy) (requests, size float64) {
	c := p.Counts()
	asked, answered := c.Total()
	return float64(asked.Frames - c.Requests[faultproxy.OpPing].Frames), float64(asked.Bytes + answered.Bytes)
}

var (
	startedPID = regexp.MustCompile(`started, pid (\d+)`)
	heapTotal  = regexp.MustCompile(`(?m)^Total +\d+ +(\d+)`)
)

// serverHeap returns what is in use of the heap of the server that the log tells of, after a
// collection.
func serverHeap(tb testing.TB, log string) int {
	tb.Helper()
	pid := startedPID.FindStringSubmatch(log)
	if pid == nil {
		tb.Fatalf("no pid in %q", log)
	}
	out, err := exec.Command("jcmd", pid[1], "GC.class_histogram").CombinedOutput()
	if err != nil {
		tb.Skipf("SKIP: no jcmd: %v\n%s", err, out)
	}
	total := heapTotal.FindSubmatch(out)
	if total == nil {
		tb.Fatalf("%.200s", out)
	}
	n, err := strconv.Atoi(string(total[1]))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
