package cache_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

// realServers are real servers, with a proxy before that of the cache.
type realServers struct {
	t       testing.TB
	ctx     context.Context
	servers *ensemble.Ensemble
	proxy   *faultproxy.Proxy
	admin   *session.Session
	client  *session.Client
	path    string
}

// onReal runs f on the servers at hand, and on those of a release without watches on whole trees
// and of the newest.
func onReal(t *testing.T, f func(r *realServers)) {
	for _, version := range []string{"", "3.5.10", "3.9.5"} {
		t.Run(cmp.Or(version, "installed"), func(t *testing.T) {
			if version == "" {
				f(newRealServers(t, ensemble.Common(t)))
			} else {
				f(newRealServers(t, ensemble.ForTest(t, ensemble.Config{Servers: 3, Version: version})))
			}
		})
	}
}

func newRealServers(t *testing.T, e *ensemble.Ensemble) *realServers {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // guards against hanging; nothing is measured by it
	t.Cleanup(cancel)
	r := &realServers{t: t, ctx: ctx, servers: e}
	var err error
	r.proxy = faultproxy.ForTest(t, r.servers.Servers()[0].Addr())
	admin := r.open(r.servers.ConnectString())
	r.admin, err = admin.Session(ctx)
	r.must(err)
	r.path, err = r.admin.Create(ctx, "/cache-", nil, zk.FlagSequence, nil)
	r.must(err)
	r.client = r.open(r.proxy.Addr() + r.path)
	return r
}

func (r *realServers) open(connect string) *session.Client {
	r.t.Helper()
	c, err := session.Open(connect, session.Config{Timeout: 10 * time.Second})
	r.must(err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *realServers) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// walk reads the tree at path as the servers have it.
func (r *realServers) walk(path string, have map[string]cache.Node) {
	r.t.Helper()
	data, stat, err := r.admin.Get(r.ctx, r.path+path)
	r.must(err)
	have[path] = cache.Node{Path: path, Data: data, Stat: stat}
	names, _, err := r.admin.Children(r.ctx, r.path+path)
	r.must(err)
	for _, name := range names {
		r.walk(path+"/"+name, have)
	}
}

// want demands that the cache holds what the servers have.
func (r *realServers) want(c *cache.Cache) {
	r.t.Helper()
	r.must(c.Fresh(r.ctx))
	s, err := c.Snapshot(r.ctx)
	r.must(err)
	is := map[string]cache.Node{}
	r.walk("/r", is)
	for path, n := range is {
		got, ok := s.Nodes[path]
		if !ok || string(got.Data) != string(n.Data) || got.Stat.Czxid != n.Stat.Czxid || got.Stat.Mzxid != n.Stat.Mzxid {
			r.t.Fatalf("%s is %+v (%v), want %+v", path, got, ok, n)
		}
	}
	if len(s.Nodes) != len(is) {
		r.t.Fatalf("%d nodes, want %d", len(s.Nodes), len(is))
	}
}

// change makes a random change, which may be refused.
func (r *realServers) change(rng *rand.Rand, i int) {
	path := "/r"
	for rng.IntN(3) > 0 && strings.Count(path, "/") < 4 {
		path += "/" + string(rune('a'+rng.IntN(3)))
	}
	data := []byte(fmt.Sprint(i))
	switch path = r.path + path; rng.IntN(4) {
	case 0:
		r.admin.Set(r.ctx, path, data, -1)
	case 1:
		r.admin.Delete(r.ctx, path, -1)
	case 2:
		r.admin.Multi(r.ctx, &zk.DeleteRequest{Path: path, Version: -1}, &zk.CreateRequest{Path: path, Data: data})
	default:
		r.admin.Create(r.ctx, path, data, 0, nil)
	}
}

func TestACacheIsRightOnRealServers(t *testing.T) { onReal(t, (*realServers).changesAndFaults) }

// changesAndFaults changes a tree at random, breaks connections and sessions, and compares.
func (r *realServers) changesAndFaults() {
	rng := rand.New(rand.NewPCG(1, 2))
	_, err := r.admin.Create(r.ctx, r.path+"/r", nil, 0, nil)
	r.must(err)
	c, err := cache.New(r.client, "/r", cache.Config{Recheck: -1})
	r.must(err)
	defer c.Close()
	for i := range 400 {
		r.change(rng, i)
		switch {
		case i%40 == 39: // cut in the middle of it all
			r.proxy.Cut(false)
		case i%100 == 60: // and for some changes
			r.proxy.Refuse(true)
			r.proxy.Cut(false)
			for j := range 20 {
				r.change(rng, 1000*i+j)
			}
			r.proxy.Refuse(false)
		case i%100 == 80:
			s, err := r.client.Session(r.ctx)
			r.must(err)
			s.Close() // the client goes on with another one
		case i%20 == 19:
			if _, err := r.admin.Set(r.ctx, r.path+"/r", nil, -1); err == nil { // it exists
				r.want(c)
			}
		}
	}
	r.admin.Create(r.ctx, r.path+"/r", nil, 0, nil)
	r.want(c)
}

func TestOnRealServersOnlyWhatHasChangedIsReadAfterAReconnect(t *testing.T) {
	onReal(t, (*realServers).changeTen)
}

func (r *realServers) changeTen() {
	const nodes = 1000
	paths, err := plant(r.ctx, r.admin, r.path+"/r", nodes)
	r.must(err)
	c, err := cache.New(r.client, "/r", cache.Config{Recheck: -1})
	r.must(err)
	defer c.Close()
	r.want(c)
	before, reads := c.Status().Counts, r.reads()
	r.proxy.Refuse(true)
	r.proxy.Cut(false)
	for _, path := range paths[len(paths)-10:] {
		_, err := r.admin.Set(r.ctx, path, []byte("new"), -1)
		r.must(err)
	}
	r.proxy.Refuse(false)
	r.must(c.Fresh(r.ctx))
	after := c.Status().Counts
	// A new connection takes one more, which finds out about the server, and another one if that
	// closes it.
	if n := r.reads() - reads; n > 12 || after.Reads-before.Reads != 10 || after.Restores == before.Restores {
		r.t.Errorf("%d reads for 10 changed znodes; %+v, %+v", n, before, after)
	}
	r.want(c)
}

// reads returns how many requests for data, lists and Stats have passed the proxy.
func (r *realServers) reads() (n int) {
	all := r.proxy.Counts().Requests
	for _, op := range []faultproxy.Op{faultproxy.OpGetData, faultproxy.OpGetChildren2, faultproxy.OpExists} {
		n += all[op].Frames
	}
	return n
}
