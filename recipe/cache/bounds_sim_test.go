package cache_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestWatchesAndMemoryDoNotGrow(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/a", "")
		c := b.cache("/a", cache.Config{Recheck: -1})
		b.told(c, "created /a ") // from now on changes are kept
		for i := range 2000 / rounds.Stride(4) {
			path := fmt.Sprintf("/a/n%d", i)
			b.create(path, "")
			await.Sleep(10 * time.Millisecond)
			b.remove(path)
		}
		await.Sleep(time.Second)
		if n := len(b.watches()); n > 2 {
			t.Errorf("%d watches for one znode", n)
		}
		if st := c.Status(); st.Untold > 1 || st.Nodes != 1 || st.Unread != 0 {
			t.Errorf("%+v", st)
		}
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		b.create("/b", "")
		var before uint64
		for i := range 1000 / rounds.Stride(4) {
			d, err := cache.New(b.client, "/b", cache.Config{})
			b.must(err)
			b.must(d.Wait(b.ctx))
			d.Close()
			if i == 100 {
				before = heap()
			}
		}
		if after := heap(); after > before+1<<20 {
			t.Errorf("the heap has grown from %d to %d", before, after)
		}
		if n := len(b.watches()); n > 4 {
			t.Errorf("%d watches for two znodes", n)
		}
	})
}

func TestATreeThatIsTooLargeIsRefusedBeforeItIsRead(t *testing.T) {
	inBubble(t, 1, func(b *bubble) {
		b.create("/big", "")
		for i := 0; i < 20_000; i += 1000 {
			var ops []any
			for j := range 1000 {
				ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/big/n%06d", i+j)})
			}
			_, err := b.admin.Multi(b.ctx, ops...)
			b.must(err)
		}
		await.Sleep(time.Second) // all servers have it
		before := b.Counts()
		c := b.cache("/big", cache.Config{})
		var large *cache.TooLargeError
		if err := c.Wait(b.ctx); !errors.As(err, &large) || large.Have != 20_001 || large.Max != 10_000 {
			t.Errorf("%v", err)
		}
		if _, err := c.Next(b.ctx); !errors.As(err, &large) {
			t.Errorf("Next: %v", err)
		}
		if after := b.Counts(); after.Requests[zktest.OpGetChildren2] != before.Requests[zktest.OpGetChildren2] || after.BytesOut-before.BytesOut > 10<<10 {
			t.Errorf("%d bytes were read", after.BytesOut-before.BytesOut)
		}
		d := b.cache("/big", cache.Config{MaxBytes: 1000, MaxNodes: 1 << 20})
		if err := d.Wait(b.ctx); !errors.As(err, &large) || large.What != "bytes" || !strings.HasSuffix(err.Error(), " bytes; Config.MaxBytes is 1000") {
			t.Errorf("%v", err)
		}
	})
}

func TestManyWatchesAreLeftAgainInParts(t *testing.T) {
	const nodes = 8_000
	inBubble(t, 1, func(b *bubble) {
		b.fill("/a", nodes)
		largest := 0
		c := b.cache("/a", cache.Config{MaxNodes: 2 * nodes, Recheck: -1})
		b.must(c.Wait(b.ctx))
		before := b.Counts()
		b.offline(func() { b.set("/a/d000/n00", "1") })
		await.Sleep(2 * T)
		b.must(c.Fresh(b.ctx))
		after := b.Counts()
		parts := after.Requests[zktest.OpSetWatches] - before.Requests[zktest.OpSetWatches]
		if largest = int(after.BytesIn-before.BytesIn) / max(parts, 1); parts < 2 || largest > 160<<10 {
			t.Errorf("%d requests of %d bytes", parts, largest)
		}
		if reads := after.Requests[zktest.OpGetData] - before.Requests[zktest.OpGetData]; reads != 1 {
			t.Errorf("%d reads for one changed znode", reads)
		}
		if n, _, err := c.Get(b.ctx, "/a/d000/n00"); string(n.Data) != "1" {
			t.Errorf("%+v, %v", n, err)
		}
		if n := len(b.watches()); n > 2*(nodes+1) {
			t.Errorf("%d watches", n)
		}
	})
}

func TestACacheNeverWrites(t *testing.T) {
	inBubble(t, 3, func(b *bubble) {
		b.create("/a", "")
		b.create("/a/b", "")
		c := b.cache("/a/b", cache.Config{})
		b.want(c, "/a/b")
		b.remove("/a/b")
		b.remove("/a")
		await.Sleep(10 * T)
		b.must(c.Fresh(b.ctx))
		b.offline(func() { await.Sleep(10 * T) }) // a new session, too
		b.must(c.Fresh(b.ctx))
		if n := len(b.Nodes()); n != 0 {
			t.Errorf("%d znodes; want none", n)
		}
	})
}
