package peers

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"
)

// Every kind by itself: what the hosts tell is what happens.
func TestEveryKindJoinsLeadsResignsAndLeaves(t *testing.T) {
	for _, k := range []Kind{LeaderLatch, LeaderSelector, Kazoo, KazooPatterns, ZkLock, OursLatch, OursLock, OursKazoo,
		LeaderLatchNew, LeaderSelectorNew, KazooNew, KazooPatternsNew} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			f := newField(t, k)
			p := f.start(k, Config{ID: `a "quoted" name`})
			f.wait(p, "session")
			node := f.wait(p, "joined").Node
			data, stat, err := f.caughtUp().Get(f.ctx, node)
			if err != nil || stat.EphemeralOwner == 0 || string(data) != p.ID {
				t.Fatalf("%s: %q, %v, %+v; want the id alone", node, data, err, stat)
			}
			first := f.wait(p, "elected")
			if first.Token != stat.Czxid {
				t.Errorf("token %d; want %d", first.Token, stat.Czxid)
			}
			f.wait(p, "beat")
			f.send(p, "resign")
			if l := f.wait(p, "deposed"); l.Reason != "resigned" {
				t.Errorf("deposed: %+v", l)
			}
			if l := f.wait(p, "joined"); l.Node == node {
				t.Errorf("joined again as the same znode %s", node)
			}
			if l := f.wait(p, "elected"); l.Token <= first.Token {
				t.Errorf("token %d after %d", l.Token, first.Token)
			}
			f.wait(p, "beat")
			f.send(p, "quit")
			f.wait(p, "left")
			<-p.Done()
			left, _, err := f.caughtUp().Children(f.ctx, f.path)
			if errors.Is(err, zk.ErrNoNode) { // Curator's path is a container, which servers delete when it is empty
				err = nil
			}
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			f.oneLeaderAtATime()
		})
	}
}
