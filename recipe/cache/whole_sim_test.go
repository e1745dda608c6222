package cache_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// With one watch on the whole tree, a directory is not listed again for each znode that is created
// in it, and a znode without children is not listed at all.
func TestACreatedZnodeCostsNoListOfItsDirectoryWhereOneWatchTellsOfAll(t *testing.T) {
	for _, c := range []struct {
		name    string
		release zktest.Release
		cfg     cache.Config
		one     bool // one watch for all
	}{
		{"3.5.10", zktest.Release3510, cache.Config{}, false},
		{"3.8.0", zktest.Release380, cache.Config{}, true},
		{"3.9.5", zktest.Release395, cache.Config{}, true},
		{"children", zktest.Release395, cache.Config{Depth: cache.DepthChildren}, false},
		{"some", zktest.Release395, cache.Config{Keep: func(string) bool { return true }}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubbleOn(t, c.release, 1, func(b *bubble) {
				b.fill("/a", 300)
				held := b.cache("/a", c.cfg)
				b.must(held.Fresh(b.ctx))
				if one := b.toldOfAll(); one != c.one {
					t.Errorf("one watch for all: %v; %d watches", one, len(b.watches()))
				}
				before := b.Counts().Requests
				for _, path := range []string{"/a/new1", "/a/new2", "/a/new3"} {
					b.create(path, "")
					b.must(held.Fresh(b.ctx))
					if _, ok, err := held.Get(b.ctx, path); !ok || err != nil {
						t.Errorf("%s: %v, %v", path, ok, err)
					}
				}
				after := b.Counts().Requests
				lists, want := after[zktest.OpGetChildren2]-before[zktest.OpGetChildren2], 6
				switch {
				case c.one:
					want = 0
				case c.cfg.Depth == cache.DepthChildren:
					want = 3 // of the directory
				}
				if lists != want {
					t.Errorf("%d lists are read after 3 creates, want %d", lists, want)
				}
				held.Close()
				await.Sleep(time.Second)
				if c.one && len(b.watches()) != 0 {
					t.Errorf("after Close: %+v", b.watches())
				}
			})
		})
	}
}

// A znode has no children when it is read, and gets some: at once, and while the client has no
// connection.
func TestChildrenOfAZnodeThatHadNoneAreSeen(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		b.create("/a/b", "1")
		held := b.cache("/a", cache.Config{Recheck: -1})
		b.want(held, "/a")
		b.create("/a/b/c", "2")
		b.create("/a/b/c/d", "3")
		b.want(held, "/a")
		b.offline(func() { b.create("/a/b/c/d/e", "4") })
		b.want(held, "/a")
	})
}

// The answer to the read of a directory says that it has no children. While that answer is on its
// way, a child is created.
func TestAChildThatComesWithTheAnswerIsSeen(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		for i := range 20 {
			held := b.cache("/a", cache.Config{Recheck: -1})
			b.host.Delay(time.Duration(1+i%5)*time.Millisecond, zktest.ToClient)
			b.must(held.Wait(b.ctx))
			dir := fmt.Sprintf("/a/%d", i)
			b.create(dir, "")
			await.Sleep(time.Duration(i) * time.Millisecond / 2)
			b.create(dir+"/x", "")
			b.want(held, "/a")
			held.Close()
		}
	})
}

// toldOfAll reports whether the caches' client has watches on whole trees, and no others.
func (b *bubble) toldOfAll() bool {
	for _, w := range b.watches() {
		if !w.Below {
			return false
		}
	}
	return true
}

// The path is made while the client has no connection. The first event of it is that its data are
// changed, before the cache has looked for the path again.
func TestAPathThatWasMadeMeanwhileIsReadWithAllBelow(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		held := b.cache("/a", cache.Config{Recheck: -1})
		b.must(held.Fresh(b.ctx))
		restores := held.Status().Counts.Restores
		b.offline(func() {
			b.create("/a", "1")
			b.create("/a/b", "2")
		})
		for st := held.Status(); st.Counts.Restores == restores || !st.Following; st = held.Status() {
			await.Sleep(time.Millisecond)
		}
		b.set("/a", "3")
		await.Sleep(T)
		b.want(held, "/a")
	})
}

// READ is refused for a time. That it is granted again is told by a change of the data, before the
// cache has looked again.
func TestAZnodeThatMayBeReadAgainIsReadWithAllBelow(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		b.create("/a/b", "1")
		b.create("/a/b/c", "2")
		held := b.cache("/a", cache.Config{Recheck: -1})
		b.must(held.Fresh(b.ctx))
		b.offline(func() {
			b.permit("/a/b", zk.PermAll&^zk.PermRead)
			b.set("/a/b", "3")
		})
		await.Sleep(T)
		if n, ok, err := held.Get(b.ctx, "/a/b"); !n.Hidden {
			t.Fatalf("%+v, %v, %v; want it hidden", n, ok, err)
		}
		b.permit("/a/b", zk.PermAll)
		b.set("/a/b", "4")
		await.Sleep(T)
		b.want(held, "/a")
	})
}

// No event tells of the creation, because READ is refused. It is granted later, and an event tells
// of changed data.
func TestAZnodeThatWasCreatedUnseenIsReadWhenItIsChanged(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		held := b.cache("/a", cache.Config{Recheck: -1})
		b.must(held.Fresh(b.ctx))
		_, err := b.admin.Create(b.ctx, "/a/b", []byte("1"), 0, zk.WorldACL(zk.PermAll&^zk.PermRead))
		b.must(err)
		b.create("/a/b/c", "2")
		b.permit("/a/b", zk.PermAll)
		b.set("/a/b", "3")
		b.must(held.Fresh(b.ctx))
		b.want(held, "/a")
	})
}

// permit grants these permissions to everybody.
func (b *bubble) permit(path string, perms int32) {
	b.t.Helper()
	dial := func(network, address string, _ time.Duration) (net.Conn, error) {
		return b.Host("admin").Dial(context.Background(), network, address)
	}
	conn, _, err := zk.Connect(b.Addrs(), T, zk.WithLogInfo(false), zk.WithDialer(dial))
	b.must(err)
	defer conn.Close()
	_, err = conn.SetACL(path, zk.WorldACL(perms), -1)
	b.must(err)
}
