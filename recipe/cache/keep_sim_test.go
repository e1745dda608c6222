package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
)

// Keep is slow. Meanwhile the status and what the cache holds can be read, and nothing counts as
// fresh. Keep is asked once about each znode that it does not reject, and by one goroutine at a
// time.
func TestAKeepThatBlocksHoldsUpNobodyWhoReads(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		for _, path := range []string{"/a", "/a/b", "/a/b/kept", "/a/b/drop", "/a/c"} {
			b.create(path, "")
		}
		var asked await.List[string]
		var together atomic.Int64
		on := make(chan struct{}, 2)
		held := b.cache("/a", cache.Config{Recheck: -1, Keep: func(path string) bool {
			asked.Add(path)
			if together.Add(1) > 1 {
				b.t.Error("asked by several at the same time")
			}
			defer together.Add(-1)
			if strings.HasSuffix(path, "/slow") {
				<-on
			}
			return !strings.HasSuffix(path, "/drop")
		}})
		b.must(held.Fresh(b.ctx))
		b.create("/a/b/slow", "")
		b.create("/a/c/slow", "")
		await.Sleep(T)
		if st := held.Status(); st.Nodes != 4 || st.Unread == 0 {
			b.t.Errorf("%+v", st)
		}
		if _, ok, err := held.Get(b.ctx, "/a/b/kept"); !ok || err != nil {
			b.t.Errorf("%v, %v", ok, err)
		}
		if s, err := held.Snapshot(b.ctx); err != nil || len(s.Nodes) != 4 {
			b.t.Errorf("%+v, %v", s, err)
		}
		short, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		if err := held.Fresh(short); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("fresh without a znode that has come: %v", err)
		}
		on <- struct{}{}
		on <- struct{}{}
		b.must(held.Fresh(b.ctx))
		if st := held.Status(); st.Nodes != 6 || st.Unread != 0 {
			b.t.Errorf("at the end: %+v", st)
		}
		for _, path := range []string{"/a/b", "/a/b/kept", "/a/c", "/a/b/slow", "/a/c/slow"} {
			if n := asked.Count(func(p string) bool { return p == path }); n != 1 {
				b.t.Errorf("asked %d times about %s", n, path)
			}
		}
	})
}
