package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// T is the session timeout in the bubbles.
const T = 4 * time.Second

// A bubble has an ensemble, somebody who writes, and a client for caches.
type bubble struct {
	*zktest.Ensemble
	t      *testing.T
	ctx    context.Context
	host   *zktest.Host // of the client
	client *session.Client
	writer *session.Client
	admin  *session.Session // of the writer
}

// releases are those on which all tests are run: without watches on whole trees, with such that a
// one-shot watch turns off, and with others.
var releases = []zktest.Release{zktest.Release3510, zktest.Release380, zktest.Release395}

// inBubble runs f on ensembles of so many servers, one of each release.
func inBubble(t *testing.T, servers int, f func(b *bubble)) {
	t.Helper()
	for _, release := range releases {
		t.Run(string(release), func(t *testing.T) { inBubbleOn(t, release, servers, f) })
	}
}

// inBubbleOn runs f on an ensemble of so many servers. The client of the caches knows all of them.
func inBubbleOn(t *testing.T, release zktest.Release, servers int, f func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t}
		b.Ensemble = zktest.Start(t, zktest.Config{Servers: servers, Release: release, InMemory: true, Tick: T / 4, Logf: func(string, ...any) {}})
		var cancel context.CancelFunc
		b.ctx, cancel = context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		b.host = b.Host("cache")
		b.client = b.open("cache")
		b.writer = b.open("admin")
		b.admin = b.session(b.writer)
		f(b)
	})
}

// open returns a client on that host, which is closed at the end of the bubble.
func (b *bubble) open(host string) *session.Client {
	b.t.Helper()
	c, err := session.Open(b.ConnectString(), session.Config{Timeout: T, Dial: b.Host(host).Dial})
	b.must(err)
	b.t.Cleanup(func() { c.Close() })
	return c
}

func (b *bubble) session(c *session.Client) *session.Session {
	b.t.Helper()
	s, err := c.Session(b.ctx)
	b.must(err)
	return s
}

func (b *bubble) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// cache returns a cache of the client that is closed at the end of the bubble.
func (b *bubble) cache(path string, cfg cache.Config) *cache.Cache {
	b.t.Helper()
	c, err := cache.New(b.client, path, cfg)
	b.must(err)
	b.t.Cleanup(c.Close)
	return c
}

func (b *bubble) create(path, data string) {
	b.t.Helper()
	_, err := b.admin.Create(b.ctx, path, []byte(data), 0, nil)
	b.must(err)
}

func (b *bubble) set(path, data string) {
	b.t.Helper()
	_, err := b.admin.Set(b.ctx, path, []byte(data), -1)
	b.must(err)
}

func (b *bubble) remove(path string) {
	b.t.Helper()
	b.must(b.admin.Delete(b.ctx, path, -1))
}

// want demands that the cache holds what the servers have below path, after Fresh.
func (b *bubble) want(c *cache.Cache, path string) {
	b.t.Helper()
	b.must(c.Fresh(b.ctx))
	s, err := c.Snapshot(b.ctx)
	b.must(err)
	if d := differ(s.Nodes, b.Nodes(), path, 1<<30); d != "" {
		b.t.Fatal(d)
	}
}

// differ says how the nodes of a cache differ from those that the servers have at path and so many
// levels below.
func differ(have map[string]cache.Node, all []zktest.Node, path string, levels int) string {
	var wrong []string
	n := 0
	for _, is := range all {
		if is.Path != path && (!strings.HasPrefix(is.Path, path+"/") || strings.Count(is.Path[len(path):], "/") > levels) {
			continue
		}
		n++
		switch got, ok := have[is.Path]; {
		case !ok:
			wrong = append(wrong, is.Path+" is missing")
		case string(got.Data) != string(is.Data) || got.Stat.Czxid != is.Stat.Czxid || got.Stat.Mzxid != is.Stat.Mzxid:
			wrong = append(wrong, fmt.Sprintf("%s is %q of %d, %d; want %q of %d, %d", is.Path, got.Data, got.Stat.Czxid, got.Stat.Mzxid, is.Data, is.Stat.Czxid, is.Stat.Mzxid))
		}
	}
	if n != len(have) {
		wrong = append(wrong, fmt.Sprintf("%d nodes, want %d", len(have), n))
	}
	slices.Sort(wrong)
	return strings.Join(wrong[:min(len(wrong), 10)], "\n")
}

// next returns the next change as a line: "created /a 1".
func (b *bubble) next(c *cache.Cache) string {
	b.t.Helper()
	ch, err := c.Next(b.ctx)
	b.must(err)
	line := ch.Kind.String() + " " + ch.Path
	if ch.Now != nil {
		line += " " + string(ch.Now.Data)
	}
	return line
}

// told demands that these are the next changes, and that there are no more.
func (b *bubble) told(c *cache.Cache, lines ...string) {
	b.t.Helper()
	for _, want := range lines {
		if got := b.next(c); got != want {
			b.t.Fatalf("told %q, want %q", got, want)
		}
	}
	b.quiet(c)
}

// quiet demands that there is no change to be told.
func (b *bubble) quiet(c *cache.Cache) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	got := make(chan error, 1)
	var ch cache.Change
	go func() { var err error; ch, err = c.Next(ctx); got <- err }()
	synctest.Wait()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		b.t.Fatalf("told %+v (%v), want nothing", ch, err)
	}
}

// reads returns how many requests for data, lists and Stats have reached the servers.
func (b *bubble) reads() int {
	r := b.Counts().Requests
	return r[zktest.OpGetData] + r[zktest.OpGetChildren2] + r[zktest.OpExists]
}

// offline runs f while the client of the caches is cut off.
func (b *bubble) offline(f func()) {
	b.t.Helper()
	b.host.Hold() // first: otherwise the client may connect again before it
	b.host.Cut()
	f()
	b.host.Heal()
}

// fill creates n znodes below path, in directories of 100.
func (b *bubble) fill(path string, n int) {
	b.t.Helper()
	b.create(path, "")
	for dir := 0; n > 0; dir++ {
		ops := []any{&zk.CreateRequest{Path: fmt.Sprintf("%s/d%03d", path, dir), Data: []byte("dir")}}
		n--
		for i := 0; i < 99 && n > 0; i, n = i+1, n-1 {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s/d%03d/n%02d", path, dir, i), Data: []byte("0")})
		}
		_, err := b.admin.Multi(b.ctx, ops...)
		b.must(err)
	}
}
