package cache_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// fullSize makes the tests of many and of large caches as large as those that users of other
// libraries have reported.
var fullSize = flag.Bool("full", false, "many caches, and large ones, in full size: minutes, and gigabytes")

// The connections of many caches of one tree break, all together, with or without a restart of the
// ZooKeeper leader. The caches read only what has changed, and do not set their watches all at one
// moment.
func TestManyCachesDoNotReadAgainWhenTheLeaderIsRestarted(t *testing.T) {
	rounds.All(t)
	caches, nodes := 20, 600
	if *fullSize {
		caches, nodes = 200, 5000
	}
	inBubble(t, 3, func(b *bubble) {
		all := b.many(caches, nodes)
		await.Sleep(T)
		for i, broken := range []func(){b.restartLeader, b.host.Cut} {
			what := []string{"restart", "cut"}[i]
			reads, sets, most := b.herd(func() {
				broken()
				b.set("/a/d000/n00", what)
				b.create("/a/d001/"+what, "")
				b.remove(fmt.Sprintf("/a/d002/n%02d", i))
			})
			t.Logf("%s, %d caches of %d znodes: %d reads, %d requests to leave watches, at most %d of them in %v", what, caches, nodes, reads, sets, most, T/40)
			// Each cache reads the three znodes that have changed, finds out that the new one has
			// no children, and reads two lists. Some caches connect to a server that is stopped
			// soon, and repeat a part of it.
			if reads > caches*8 || sets < caches || sets > 2*caches*parts(nodes) || most > sets/2 {
				t.Errorf("%s, %d caches: %d reads, %d requests to leave watches, %d of them at one moment", what, caches, reads, sets, most)
			}
			for _, c := range all {
				b.want(c, "/a")
			}
		}
	})
}

// restartLeader restarts the server that leads, and waits until one does.
func (b *bubble) restartLeader() {
	leader := b.Leader()
	leader.Kill()
	b.must(leader.Start())
	for b.Leader() == nil {
		await.Sleep(10 * time.Millisecond)
	}
}

// herd returns how many reads and how many setWatches requests follow what f does, and the largest
// number of the latter that came within T/40.
func (b *bubble) herd(f func()) (reads, sets, most int) {
	restores := func() int { return b.Counts().Requests[zktest.OpSetWatches] }
	reads, sets = b.reads(), restores()
	before := sets
	f()
	for range 3 * 40 {
		await.Sleep(T / 40)
		now := restores()
		most, before = max(most, now-before), now
	}
	return b.reads() - reads, restores() - sets, most
}

// parts is how many setWatches requests set the watches of so many znodes on a connection.
func parts(nodes int) int { return nodes*2*(len("/a/d000/n00")+4)>>17 + 1 }

// many lets so many caches, with clients of their own, load a tree of so many znodes.
func (b *bubble) many(caches, nodes int) (all []*cache.Cache) {
	b.t.Helper()
	b.fill("/a", nodes)
	for range caches {
		client, err := session.Open(b.ConnectString(), session.Config{Timeout: T, Dial: b.host.Dial})
		b.must(err)
		b.t.Cleanup(func() { client.Close() })
		c, err := cache.New(client, "/a", cache.Config{Recheck: -1})
		b.must(err)
		all = append(all, c)
	}
	for _, c := range all {
		b.must(c.Wait(b.ctx))
	}
	return all
}
