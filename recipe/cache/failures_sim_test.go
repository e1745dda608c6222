package cache_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// With equal versions and counts of changes, only the transactions tell.
func TestAnotherZnodeOfEqualVersionsIsNoticed(t *testing.T) {
	for _, sessionLost := range []bool{false, true} {
		inBubble(t, 3, func(b *bubble) {
			b.create("/a", "1")
			b.create("/a/x", "old")
			c := b.cache("/a", cache.Config{Recheck: -1})
			b.told(c, "created /a 1", "created /a/x old")
			b.offline(func() {
				b.remove("/a/x")
				b.remove("/a")
				b.create("/a", "2")
				b.create("/a/y", "new")
				if sessionLost {
					await.Sleep(3 * T)
				}
			})
			b.want(c, "/a")
			got := map[string]bool{b.next(c): true, b.next(c): true, b.next(c): true}
			for _, want := range []string{"replaced /a 2", "deleted /a/x", "created /a/y new"} {
				if !got[want] {
					t.Errorf("session lost %v: not told: %s; got %v", sessionLost, want, got)
				}
			}
			b.quiet(c)
		})
	}
}

func TestACacheIsToldAgain(t *testing.T) {
	for _, fault := range []struct {
		name string
		do   func(b *bubble)
	}{
		{"the watches are refused", func(b *bubble) {
			b.On(zktest.Match{Op: zktest.OpSetWatches, Nth: 1}, zktest.Fail(zktest.CodeMarshallingError))
			b.offline(func() { b.set("/a/b", "2") })
		}},
		{"the answer to the watches is lost", func(b *bubble) {
			b.On(zktest.Match{Op: zktest.OpSetWatches, Nth: 1}, zktest.LoseReply)
			b.offline(func() { b.set("/a/b", "2") })
		}},
		{"the parent is another one", func(b *bubble) {
			b.offline(func() {
				b.remove("/a/b")
				b.remove("/a")
				b.create("/a", "")
				b.create("/a/b", "2")
			})
		}},
		{"12 minutes without servers", func(b *bubble) {
			b.offline(func() { await.Sleep(12 * time.Minute); b.set("/a/b", "2") })
		}},
		{"the path is missing for an hour", func(b *bubble) {
			b.remove("/a/b")
			b.remove("/a")
			await.Sleep(time.Hour)
			for _, w := range b.watches() {
				if !w.Stays {
					b.t.Errorf("a watch on a missing path: %+v", w)
				}
			}
			b.create("/a", "")
			b.create("/a/b", "2")
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			inBubble(t, 3, func(b *bubble) {
				b.create("/a", "")
				b.create("/a/b", "1")
				c := b.cache("/a", cache.Config{Recheck: -1})
				b.want(c, "/a")
				fault.do(b)
				await.Sleep(2 * T)
				if n, ok, err := c.Get(b.ctx, "/a/b"); string(n.Data) != "2" {
					t.Errorf("%+v, %v, %v", n, ok, err)
				}
				b.set("/a/b", "3")
				await.Sleep(time.Second)
				if n, ok, err := c.Get(b.ctx, "/a/b"); string(n.Data) != "3" {
					t.Errorf("it is not told any more: %+v, %v, %v", n, ok, err)
				}
			})
		})
	}
}

// Watches that were not set on one connection have to be set on the next one.
func TestARestoreThatIsCutOffIsMadeUpFor(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.create("/a", "")
		b.create("/a/b", "1")
		c := b.cache("/a", cache.Config{Recheck: -1})
		b.want(c, "/a")
		lost := b.On(zktest.Match{Op: zktest.OpSetWatches, Nth: 1}, zktest.DropRequest)
		b.offline(func() { b.set("/a/b", "2") })
		<-lost.Fired()
		if _, _, err := b.session(b.client).Exists(b.ctx, "/a"); err != nil { // somebody sees what has been written since
			t.Fatal(err)
		}
		b.host.Cut()
		await.Sleep(2 * T)
		if n, _, err := c.Get(b.ctx, "/a/b"); string(n.Data) != "2" {
			t.Errorf("%+v, %v", n, err)
		}
	})
}

// A read that is made on two connections leaves on the second what it left on the first.
func TestAZnodeThatIsReadWhenTheConnectionIsLostKeepsBothItsWatches(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "1")
		c := b.cache("/a", cache.Config{Recheck: -1})
		b.want(c, "/a")
		cut := b.On(zktest.Match{Op: zktest.OpGetData, Path: "/a", Nth: 1}, zktest.LoseRequest)
		b.set("/a", "2")
		<-cut.Fired()
		await.Sleep(T)
		b.create("/a/x", "")
		await.Sleep(T)
		if _, ok, err := c.Get(b.ctx, "/a/x"); !ok || err != nil {
			t.Errorf("it is not there: %v", err)
		}
	})
}

// deaf returns a Dial that loses all watch events.
func deaf(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &deafConn{Conn: conn}, err
	}
}

type deafConn struct {
	net.Conn
	rest []byte
}

func (c *deafConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		head := make([]byte, 4)
		if err := full(c.Conn, head); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head))
		if err := full(c.Conn, body); err != nil {
			return 0, err
		}
		if int32(binary.BigEndian.Uint32(body)) != -1 {
			c.rest = append(head, body...)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func full(c net.Conn, p []byte) error {
	for len(p) > 0 {
		n, err := c.Read(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func TestWhatNoEventTellsIsFoundByChecks(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.fill("/a", 50)
		client, err := session.Open(b.ConnectString(), session.Config{Timeout: T, Dial: deaf(b.host.Dial)})
		b.must(err)
		defer client.Close()
		c, err := cache.New(client, "/a", cache.Config{Recheck: time.Minute})
		b.must(err)
		b.must(c.Wait(b.ctx))
		b.set("/a/d000/n01", "1")
		b.remove("/a/d000/n02")
		b.create("/a/d000/new", "")
		await.Sleep(3 * time.Minute)
		s, err := c.Snapshot(b.ctx)
		b.must(err)
		if wrong := differ(s.Nodes, b.Nodes(), "/a", 9); wrong != "" {
			t.Error(wrong)
		}
	})
}

// watches are those of the caches' client.
func (b *bubble) watches() (all []zktest.Watch) {
	id := b.client.Status().Session
	for _, w := range b.Watches() {
		if w.Session == id {
			all = append(all, w)
		}
	}
	return all
}

// A server that has been restarted is not asked for what it has told before.
func TestManyCachesDoNotReadAgainWhenAServerIsRestarted(t *testing.T) {
	const caches, nodes = 20, 300
	inBubble(t, 1, func(b *bubble) {
		all := b.many(caches, nodes)
		before, restores := b.reads(), b.Counts().Requests[zktest.OpSetWatches]
		b.Server(1).Kill()
		b.must(b.Server(1).Start())
		await.Sleep(3 * T)
		b.set("/a/d000/n00", "1")
		b.create("/a/d001/new", "")
		b.remove("/a/d002/n00")
		await.Sleep(3 * T)
		// One znode has changed, a directory has one more and another one less: 6 reads, of which
		// one finds out that the new znode has no children.
		if reads := b.reads() - before; reads > caches*6 {
			t.Errorf("%d reads by %d caches", reads, caches)
		}
		if n := b.Counts().Requests[zktest.OpSetWatches] - restores; n != caches {
			t.Errorf("%d requests to leave watches, want %d", n, caches)
		}
		for _, c := range all {
			b.want(c, "/a")
		}
	})
}

func TestReadsAfterAReconnectAreFewerThanTwoForAChangedZnode(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.fill("/a", 1000)
		c := b.cache("/a", cache.Config{Recheck: -1})
		b.want(c, "/a")
		before, changed := b.reads(), 0
		b.offline(func() {
			for i := range 10 {
				dir := fmt.Sprintf("/a/d%03d", i)
				for j := range 8 {
					b.set(fmt.Sprintf("%s/n%02d", dir, j), "1")
				}
				b.create(dir+"/new", "")
				b.remove(dir + "/n50")
				changed += 8 + 1 + 1 + 1 // the directory, too
			}
		})
		await.Sleep(2 * T)
		b.want(c, "/a")
		reads := b.reads() - before
		t.Logf("%d reads for %d changed znodes of 1000", reads, changed)
		if reads >= 2*changed {
			t.Errorf("%d reads for %d changed znodes", reads, changed)
		}
	})
}

func TestReadsWaitForTheFirstCompleteStateAndFreshSeesOwnWrites(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.fill("/a", 300)
		c := b.cache("/a", cache.Config{})
		if n, ok, err := c.Get(b.ctx, "/a/d002/n97"); !ok || err != nil { // the last
			t.Errorf("%+v, %v, %v", n, ok, err)
		}
		at := b.ConnOf(b.client.Status().Session).Server()
		b.Server(at).Slow(T / 20) // its clients see everything later
		for i := range 20 {
			b.set("/a", fmt.Sprint(i))
			b.must(c.Fresh(b.ctx))
			if n, _, err := c.Get(b.ctx, "/a"); string(n.Data) != fmt.Sprint(i) {
				t.Errorf("%q after %d was written: %v", n.Data, i, err)
			}
		}
		s, err := c.Snapshot(b.ctx)
		b.must(err)
		age := s.Age()
		if age <= 0 || age > T || time.Since(s.AsOf) > T {
			t.Errorf("age %v, as of %v", age, s.AsOf)
		}
		await.Sleep(T)
		if now := s.Age(); now != age+T {
			t.Errorf("age %v, and %v later %v", age, T, now)
		}
		if age := (cache.Snapshot{}).Age(); age < 100*365*24*time.Hour {
			t.Errorf("age %v of no snapshot", age)
		}
	})
}
