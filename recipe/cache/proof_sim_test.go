package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A leader that has been deposed, and does not know it, answers reads and syncs.
func TestFreshIsNotAnsweredByADeposedLeader(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.create("/a", "1")
		old := b.Leader()
		client, err := session.Open(old.Addr(), session.Config{Timeout: T, Dial: b.host.Dial})
		b.must(err)
		defer client.Close()
		c, err := cache.New(client, "/a", cache.Config{})
		b.must(err)
		b.must(c.Fresh(b.ctx))
		old.StopPings() // so it never finds out that it is alone
		old.Isolate()
		if at := b.ConnOf(b.admin.ID()); at != nil && at.Server() == old.ID() {
			at.Cut()
		}
		for b.Leader() == nil || b.Leader().ID() == old.ID() {
			await.Sleep(T / 10)
		}
		b.moveTo(old.ID())
		b.set("/a", "2")
		ctx, cancel := context.WithTimeout(b.ctx, T)
		defer cancel()
		if err := c.Fresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			n, _, _ := c.Get(b.ctx, "/a")
			t.Errorf("Fresh: %v, with %q", err, n.Data)
		}
		old.ResumePings()
		old.Rejoin()
		b.must(c.Fresh(b.ctx))
		if n, _, err := c.Get(b.ctx, "/a"); string(n.Data) != "2" {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

// moveTo makes the admin use another server than that one.
func (b *bubble) moveTo(not int) {
	b.t.Helper()
	b.admin = b.session(b.writer)
	for b.ConnOf(b.admin.ID()) == nil || b.ConnOf(b.admin.ID()).Server() == not {
		if at := b.ConnOf(b.admin.ID()); at != nil {
			at.Cut()
		}
		await.Sleep(T / 10)
		b.admin = b.session(b.writer)
	}
}

func TestAHundredCallsOfFreshShareTwoTransactions(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "1")
		c := b.cache("/a", cache.Config{})
		b.must(c.Wait(b.ctx))
		b.SetLatency(10*time.Millisecond, 0)
		before := c.Status().Counts.Proofs
		done := make(chan error, 100)
		for range 100 {
			go func() { done <- c.Fresh(b.ctx) }()
		}
		for range 100 {
			b.must(<-done)
		}
		if n := c.Status().Counts.Proofs - before; n > 2 {
			t.Errorf("%d transactions", n)
		}
	})
}

// The read that a proof waits for is lost with its connection. It is made again on the next one,
// and finds that the znode has been deleted meanwhile.
func TestFreshWaitsForAReadThatIsMadeAgain(t *testing.T) {
	for _, depth := range []cache.Depth{cache.DepthNode, cache.DepthChildren, cache.DepthTree} {
		for _, path := range []string{"/a", "/a/x"} {
			if path != "/a" && depth == cache.DepthNode {
				continue
			}
			inBubble(t, 1, func(b *bubble) {
				b.create("/a", "old")
				if path != "/a" {
					b.create(path, "old")
				}
				c := b.cache("/a", cache.Config{Depth: depth, Recheck: -1})
				b.must(c.Fresh(b.ctx))
				b.host.Hold(zktest.ToClient)
				b.set(path, "new")
				proof := b.On(zktest.Match{Op: zktest.OpMulti, Host: "cache", Nth: 1}, zktest.Effect{})
				seen := make(chan cache.Node, 1)
				go func() {
					if err := c.Fresh(b.ctx); err != nil {
						b.t.Error(err)
					}
					n, _, _ := c.Get(b.ctx, path)
					seen <- n
				}()
				<-proof.Fired()
				await.Sleep(T / 100) // it is carried out, after the change
				read := zktest.Match{Op: zktest.OpGetData, Host: "cache", Path: path, Nth: 1}
				lost := b.On(read, zktest.LoseRequest)
				b.host.Heal()
				<-lost.Fired()
				b.host.Hold()
				b.remove(path)
				lost = b.On(read, zktest.LoseRequest) // so the cache meets both connections before the answer
				b.host.Heal()
				<-lost.Fired()
				if n := <-seen; string(n.Data) == "old" {
					b.t.Errorf("%v: %s is %q after Fresh, want what was set before, or none", depth, path, n.Data)
				}
				b.want(c, "/a")
			})
		}
	}
}

// No watch is left on what is missing, or what the client has no permission to read.
func TestFreshSeesWhatNoWatchTells(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		c := b.cache("/a", cache.Config{Recheck: -1})
		for i := range 5 {
			b.must(c.Fresh(b.ctx))
			b.create("/a", fmt.Sprint(i))
			b.create("/a/b", "")
			b.must(c.Fresh(b.ctx))
			s, err := c.Snapshot(b.ctx)
			b.must(err)
			if wrong := differ(s.Nodes, b.Nodes(), "/a", 9); wrong != "" {
				t.Error(wrong)
			}
			b.remove("/a/b")
			b.remove("/a")
		}
		_, err := b.admin.Create(b.ctx, "/a", []byte("secret"), 0, []zk.ACL{{Perms: zk.PermDelete, Scheme: "world", ID: "anyone"}})
		b.must(err)
		b.must(c.Fresh(b.ctx))
		if n, ok, err := c.Get(b.ctx, "/a"); !ok || !n.Hidden || len(n.Data) != 0 {
			t.Errorf("%+v, %v, %v; want it hidden", n, ok, err)
		}
		b.remove("/a")
		b.create("/a", "open")
		b.must(c.Fresh(b.ctx))
		if n, ok, err := c.Get(b.ctx, "/a"); !ok || n.Hidden || string(n.Data) != "open" {
			t.Errorf("%+v, %v, %v", n, ok, err)
		}
	})
}

// A server that is configured anew refuses everything. However many give up waiting meanwhile, one
// proof is tried.
func TestCallsOfFreshThatGiveUpDoNotAddUp(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "1")
		c, err := cache.New(b.client, "/a", cache.Config{})
		b.must(err)
		defer c.Close()
		b.must(c.Fresh(b.ctx))
		refused := b.On(zktest.Match{Op: zktest.OpMulti, Host: "cache"}, zktest.Fail(saslRequired))
		tries := func() int {
			before := refused.Hits()
			for range 10 {
				ctx, cancel := context.WithTimeout(b.ctx, T)
				if err := c.Fresh(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "enforce.auth.schemes") {
					b.t.Errorf("Fresh: %v; want a deadline, and why", err)
				}
				cancel()
			}
			return refused.Hits() - before
		}
		first := tries()
		tries()
		if last := tries(); last > 2*first {
			b.t.Errorf("%d proofs were tried while the first ten waited, %d while the last ten did", first, last)
		}
		refused.Remove()
		b.must(c.Fresh(b.ctx))
	})
}

const saslRequired zktest.Code = -124
