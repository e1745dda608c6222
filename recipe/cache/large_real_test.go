package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
)

// A cache follows a directory of 100,000 znodes, with 200,000 one-shot watches, across a reconnect.
// All watches in one request would be larger than a server accepts. A cache with a smaller MaxNodes
// ends before it reads the list.
func TestOnRealServersALargeDirectoryIsFollowedInParts(t *testing.T) {
	nodes := 5000
	if *fullSize {
		nodes = 100_000
	}
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, JVM: []string{"-Xmx512m"}})
	for mode, keep := range map[string]func(string) bool{"whole tree": nil, "one-shot": func(string) bool { return true }} {
		t.Run(mode, func(t *testing.T) {
			r := newRealServers(t, e)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			r.ctx = ctx
			r.plantFlat(nodes)
			r.tooLarge(nodes)
			c, err := cache.New(r.client, "/r", cache.Config{MaxNodes: 2 * nodes, Keep: keep, Recheck: -1})
			r.must(err)
			defer c.Close()
			begun := time.Now()
			r.must(c.Wait(r.ctx))
			t.Logf("%d znodes loaded in %v", nodes, time.Since(begun))
			before := c.Status().Counts
			r.proxy.Refuse(true)
			r.proxy.Cut(false)
			for i := range 10 {
				_, err := r.admin.Set(r.ctx, fmt.Sprintf("%s/r/n%06d", r.path, i*nodes/10), []byte("new"), -1)
				r.must(err)
			}
			r.proxy.Refuse(false)
			begun = time.Now()
			r.must(c.Fresh(r.ctx))
			after := c.Status().Counts
			t.Logf("fresh again in %v, %d reads", time.Since(begun), after.Reads-before.Reads)
			if after.Reads-before.Reads != 10 || after.Restores == before.Restores {
				t.Errorf("%+v, %+v: want 10 reads on another connection", before, after)
			}
			for i := range 10 {
				n, ok, err := c.Get(r.ctx, fmt.Sprintf("/r/n%06d", i*nodes/10))
				if err != nil || !ok || string(n.Data) != "new" {
					t.Errorf("%+v, %v, %v", n, ok, err)
				}
			}
		})
	}
}

// plantFlat creates a directory of so many znodes.
func (r *realServers) plantFlat(nodes int) {
	r.t.Helper()
	_, err := r.admin.Create(r.ctx, r.path+"/r", nil, 0, nil)
	r.must(err)
	for i := 0; i < nodes; i += 1000 {
		var ops []any
		for j := range min(1000, nodes-i) {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s/r/n%06d", r.path, i+j)})
		}
		_, err := r.admin.Multi(r.ctx, ops...)
		r.must(err)
	}
}

// tooLarge demands that a cache whose MaxNodes is half of nodes ends, and that it reads one znode
// only. It reads that znode twice where a server breaks the connection, because it does not know
// recursive watches.
func (r *realServers) tooLarge(nodes int) {
	r.t.Helper()
	c, err := cache.New(r.client, "/r", cache.Config{MaxNodes: nodes / 2})
	r.must(err)
	defer c.Close()
	var large *cache.TooLargeError
	if err := c.Wait(r.ctx); !errors.As(err, &large) || large.Have != int64(nodes+1) || c.Status().Counts.Reads > 2 {
		r.t.Errorf("%v after %d reads; want a TooLargeError after the first znode", err, c.Status().Counts.Reads)
	}
}
