package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
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

// Nobody waits for a Keep that never returns: not who closes the cache, and not who closes the
// client. A cache whose session has ended does not wait for it either, unless it has to ask it.
func TestAKeepThatNeverReturnsHoldsUpNoClose(t *testing.T) {
	const again = ", in another session"
	for name, end := range map[string]func(b *bubble, c *cache.Cache){
		"cache":         func(b *bubble, c *cache.Cache) { c.Close() },
		"cache" + again: func(b *bubble, c *cache.Cache) { c.Close() },
		"client":        func(b *bubble, c *cache.Cache) { b.client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, func(b *bubble) {
				b.create("/a", "")
				b.create("/a/b", "")
				var together atomic.Int64
				asked, on := make(chan struct{}, 1), make(chan struct{})
				defer close(on)
				c := b.cache("/a", cache.Config{Recheck: -1, Keep: func(path string) bool {
					if together.Add(1) > 1 {
						b.t.Error("asked by several at the same time")
					}
					defer together.Add(-1)
					if strings.HasSuffix(path, "/slow") {
						asked <- struct{}{}
						<-on
					}
					return true
				}})
				b.must(c.Fresh(b.ctx))
				b.create("/a/slow", "")
				b.create("/a/b/slow", "") // its list waits until Keep can be asked
				<-asked
				await.Sleep(T)
				if strings.HasSuffix(name, again) {
					proofs := c.Status().Counts.Proofs
					b.ExpireSession(b.client.Status().Session)
					await.Sleep(2 * T)
					if c.Status().Counts.Proofs == proofs {
						b.t.Error("it does not follow in the next session")
					}
				}
				ended := make(chan struct{})
				go func() { defer close(ended); end(b, c) }()
				await.Sleep(5 * T)
				select {
				case <-ended:
				default:
					b.t.Fatalf("it has not returned for %v", 5*T)
				}
				if err := c.Err(); !errors.Is(err, session.ErrClosed) {
					b.t.Errorf("Err: %v", err)
				}
			})
		})
	}
}

// What Keep has not been asked about when the session ends is asked in the next one.
func TestAnAnswerOfKeepThatComesAfterTheSessionIsAskedForAgain(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		asked, on := make(chan struct{}, 9), make(chan struct{})
		c := b.cache("/a", cache.Config{Recheck: -1, Keep: func(path string) bool {
			asked <- struct{}{}
			<-on
			return !strings.HasSuffix(path, "/drop")
		}})
		b.must(c.Fresh(b.ctx))
		_, err := b.admin.Multi(b.ctx, &zk.CreateRequest{Path: "/a/b"}, &zk.CreateRequest{Path: "/a/c"}, &zk.CreateRequest{Path: "/a/drop"})
		b.must(err)
		<-asked
		b.ExpireSession(b.client.Status().Session)
		await.Sleep(2 * T)
		close(on)
		b.must(c.Fresh(b.ctx))
		s, err := c.Snapshot(b.ctx)
		b.must(err)
		for _, path := range []string{"/a", "/a/b", "/a/c"} {
			if _, ok := s.Nodes[path]; !ok {
				b.t.Errorf("%s is missing", path)
			}
		}
		if len(s.Nodes) != 3 {
			b.t.Errorf("%d znodes; want 3", len(s.Nodes))
		}
	})
}
