package sim

import (
	"context"
	"maps"
	"math/rand"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// tree is the committed state of what the caches copy. A transaction that a server has only logged
// may never be committed.
type tree struct {
	zxid   int64
	znodes map[string]stamp
}

type stamp struct{ czxid, mzxid int64 }

// change takes in a committed change.
func (t *tree) change(ch zktest.Change, zxid int64) {
	if ch.Path != treePath && !strings.HasPrefix(ch.Path, treePath+"/") {
		return
	}
	t.zxid = zxid
	switch ch.Op {
	case zktest.OpCreate:
		t.znodes[ch.Path] = stamp{zxid, zxid}
	case zktest.OpSetData:
		t.znodes[ch.Path] = stamp{t.znodes[ch.Path].czxid, zxid}
	case zktest.OpDelete:
		delete(t.znodes, ch.Path)
	}
}

func (o *others) committedTree() tree {
	o.mu.Lock()
	defer o.mu.Unlock()
	return tree{o.tree.zxid, maps.Clone(o.tree.znodes)}
}

// freshen calls Fresh now and then, and demands that the copy holds what was committed before.
func (p *proc) freshen(ctx context.Context, c *cache.Cache, rng *rand.Rand) {
	o := p.w.others
	for ; ctx.Err() == nil; p.rest(ctx, rng, 2*time.Second) {
		before := o.committedTree()
		bounded, cancel := p.within(ctx, rng, 20*time.Second)
		err := c.Fresh(bounded)
		cancel()
		if err != nil {
			continue
		}
		got, after := must(c.Snapshot(ctx)).Nodes, o.committedTree()
		for path, was := range before.znodes {
			have, ok := got[path]
			if ok && have.Stat.Mzxid < was.mzxid || !ok && after.znodes[path].czxid == was.czxid {
				o.report("cache", "%s is fresh with zxid %d of %s, where %d was committed before", p.name, have.Stat.Mzxid, path, was.mzxid)
			}
		}
		for path, have := range got {
			if _, was := before.znodes[path]; !was && have.Stat.Mzxid <= before.zxid {
				o.report("cache", "%s is fresh with %s, which was deleted before", p.name, path)
			}
		}
	}
}
