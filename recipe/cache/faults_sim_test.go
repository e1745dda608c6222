package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A chaos changes a small tree at random while it breaks connections, servers and sessions. A small
// tree, so that znodes are deleted and created again all the time.
type chaos struct {
	*bubble
	rng *rand.Rand
}

func (x *chaos) path() string {
	path := "/r"
	for x.rng.IntN(3) > 0 && len(path) < 8 {
		path += "/" + string(rune('a'+x.rng.IntN(3)))
	}
	return path
}

// write makes a change, or fails to.
func (x *chaos) write(n int) {
	ctx, cancel := context.WithTimeout(x.ctx, T)
	defer cancel()
	path, data := x.path(), []byte(fmt.Sprint(n))
	if x.admin, _ = x.writer.Session(ctx); x.admin == nil {
		return
	}
	switch x.rng.IntN(4) {
	case 0:
		x.admin.Set(ctx, path, data, -1)
	case 1:
		x.admin.Delete(ctx, path, -1)
	case 2: // another one at the same path
		x.admin.Multi(ctx, &zk.DeleteRequest{Path: path, Version: -1}, &zk.CreateRequest{Path: path, Data: data})
	default:
		x.admin.Create(ctx, path, data, 0, nil)
	}
}

func (x *chaos) fault() {
	s := x.Server(1 + x.rng.IntN(len(x.Servers())))
	switch x.rng.IntN(8) {
	case 0:
		x.host.Cut()
	case 1:
		x.host.Hold()
	case 2:
		x.host.Drop([]zktest.Direction{zktest.ToClient, zktest.ToServer}[x.rng.IntN(2)])
	case 3:
		s.Isolate()
	case 4:
		s.Slow(time.Duration(x.rng.Int64N(int64(T / 4))))
	case 5:
		if l := x.client.Status().Session; l != 0 {
			x.ExpireSession(l)
		}
	case 6:
		s.Freeze()
	default:
		x.heal()
	}
}

func (x *chaos) heal() {
	x.host.Heal()
	for _, s := range x.Servers() {
		s.Thaw()
		s.Slow(0)
		s.Rejoin()
	}
}

// A replica follows Next and holds what it has been told.
type replica struct {
	nodes map[string]cache.Node
	wrong string
	done  chan struct{}
}

func replicate(ctx context.Context, c *cache.Cache) *replica {
	r := &replica{nodes: map[string]cache.Node{}, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			ch, err := c.Next(ctx)
			if err != nil {
				return
			}
			was, ok := r.nodes[ch.Path]
			switch {
			case ok != (ch.Before != nil), ok && (was.Stat.Czxid != ch.Before.Stat.Czxid || was.Stat.Mzxid != ch.Before.Stat.Mzxid):
				r.wrong = fmt.Sprintf("%+v follows %+v", ch, was)
			case ch.Now == nil:
				delete(r.nodes, ch.Path)
			default:
				r.nodes[ch.Path] = *ch.Now
			}
		}
	}()
	return r
}

// fresh demands that Fresh tells no less than what was acknowledged before it.
func (x *chaos) fresh(c *cache.Cache) string {
	x.heal()
	data := fmt.Sprint("f", x.rng.Int())
	x.admin = x.session(x.writer)
	for { // an unanswered set may come later, but it is the same
		if _, err := x.admin.Set(x.ctx, "/f", []byte(data), -1); err == nil {
			break
		}
		x.admin = x.session(x.writer)
	}
	if err := c.Fresh(x.ctx); err != nil {
		return err.Error()
	}
	if n, ok, err := c.Get(x.ctx, "/f"); err != nil || !ok || string(n.Data) != data {
		return fmt.Sprintf("%+v, %v, %v after Fresh, want %s", n, ok, err, data)
	}
	return ""
}

func TestACacheIsRightAfterAnyFaults(t *testing.T) {
	for seed := uint64(0); seed < 36; seed += uint64(rounds.Stride(4)) {
		inBubbleOn(t, releases[seed%3], 3, func(b *bubble) {
			x := &chaos{b, rand.New(rand.NewPCG(seed, 1))}
			if seed >= 24 { // in the middle of an upgrade
				b.Server(1).SetRelease(releases[(seed+1)%3])
				b.Server(2).SetRelease(releases[(seed+2)%3])
			}
			b.create("/r", "")
			b.create("/f", "")
			depth := []cache.Depth{cache.DepthTree, cache.DepthTree, cache.DepthChildren, cache.DepthNode}[seed/3%4]
			c := b.cache("/r", cache.Config{Depth: depth, Recheck: -1}) // events and zxids alone
			f, err := cache.New(b.client, "/f", cache.Config{Depth: cache.DepthNode, Recheck: -1})
			b.must(err)
			defer f.Close()
			ctx, cancel := context.WithCancel(b.ctx)
			defer cancel()
			r := replicate(ctx, c)
			for i := range 150 {
				x.write(i)
				if x.rng.IntN(8) == 0 {
					x.fault()
				}
				if x.rng.IntN(20) == 0 {
					if wrong := x.fresh(f); wrong != "" {
						t.Errorf("seed %d: %s", seed, wrong)
						return
					}
				}
				await.Sleep(time.Duration(x.rng.Int64N(int64(T / 10))))
			}
			x.heal()
			await.Sleep(20 * T)
			synctest.Wait()
			s, err := c.Snapshot(b.ctx)
			b.must(err)
			levels := map[cache.Depth]int{cache.DepthTree: 100, cache.DepthChildren: 1, cache.DepthNode: 0}[depth]
			if wrong := differ(s.Nodes, b.Nodes(), "/r", levels); wrong != "" {
				t.Errorf("seed %d: %v: %s\n%+v\n%+v", seed, depth, wrong, c.Status(), b.client.Status())
			}
			cancel()
			<-r.done
			if wrong := differ(r.nodes, b.Nodes(), "/r", levels); wrong != "" || r.wrong != "" {
				t.Errorf("seed %d: by changes: %s %s", seed, wrong, r.wrong)
			}
			if st := c.Status(); st.Unread != 0 || !st.Following {
				t.Errorf("seed %d: %+v", seed, st)
			}
		})
		if t.Failed() {
			return
		}
	}
}
