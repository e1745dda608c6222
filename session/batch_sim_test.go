package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// creating has many protected creates of one session. The first is under way, and the others are
// queued.
type creating struct {
	*zktest.Ensemble
	s    *session.Session
	dirs []string
	data []byte
	ctx  context.Context

	mu       sync.Mutex // guards what follows
	requests map[zktest.Op]int
	alone    int // multis with a guard and one other operation

	running sync.WaitGroup
	paths   []string
	errs    []error
}

// createMany runs f in a bubble with a session and a znode /0, /1, ... for each of n creates.
func createMany(t *testing.T, n int, f func(t *testing.T, c *creating)) {
	synctest.Test(t, func(t *testing.T) {
		c := &creating{ctx: t.Context(), requests: map[zktest.Op]int{}, paths: make([]string, n), errs: make([]error, n)}
		c.Ensemble = zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Logf: func(string, ...any) {},
			OnRequest: func(r zktest.Request) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.requests[r.Op]++
				if len(r.Paths) == 2 && c.s != nil && r.Paths[0] == c.s.HeartbeatPath(r.Session) {
					c.alone++
				}
			}})
		client := open(t, c.ConnectString(), session.Config{Timeout: simT, Dial: c.Host("a").Dial})
		var err error
		c.s, err = client.Session(t.Context())
		must(t, err)
		for i := range n {
			c.dirs = append(c.dirs, fmt.Sprintf("/%d", i))
			must(t, c.s.EnsurePath(t.Context(), c.dirs[i], nil))
		}
		must(t, c.s.EnsureHeartbeat(t.Context()))
		f(t, c)
		c.running.Wait()
	})
}

// queue begins all creates while the network is stopped.
func (c *creating) queue() {
	c.mu.Lock()
	clear(c.requests)
	c.alone = 0
	c.mu.Unlock()
	c.Host("a").Hold()
	for i, dir := range c.dirs {
		c.running.Go(func() {
			c.paths[i], c.errs[i] = c.s.CreateProtected(c.ctx, dir, "n-", c.data, nil)
		})
		if i == 0 {
			synctest.Wait()
		}
	}
	synctest.Wait()
}

// flow lets the network go on, and waits for all creates.
func (c *creating) flow() {
	c.Host("a").Heal()
	c.running.Wait()
}

// eachHasOne demands that every create has succeeded, and that there are no other znodes.
func (c *creating) eachHasOne(t *testing.T) {
	t.Helper()
	stats := map[string]zktest.Stat{}
	for _, n := range c.Nodes() {
		if n.Stat.EphemeralOwner == c.s.ID() && n.Path != c.s.HeartbeatPath(c.s.ID()) {
			stats[n.Path] = n.Stat
		}
	}
	for i, path := range c.paths {
		if _, ok := stats[path]; !ok || c.errs[i] != nil {
			t.Errorf("create %d in %s: %q, %v; there: %v", i, c.dirs[i], path, c.errs[i], ok)
		}
	}
	if len(stats) != len(c.paths) {
		t.Errorf("%d znodes for %d creates", len(stats), len(c.paths))
	}
}

func TestManyCreatesAtOnceGoInTwoRequests(t *testing.T) {
	createMany(t, 300, func(t *testing.T, c *creating) {
		c.queue()
		if n := c.s.QueuedCreations(); n != 299 {
			t.Errorf("%d are queued", n)
		}
		c.flow()
		c.eachHasOne(t)
		if n := c.requests[zktest.OpMulti]; n != 2 {
			t.Errorf("%d multis; want 2", n)
		}
	})
}

// A leader's token is the czxid of its znode.
func TestNoTwoZnodesOfOneDirectoryShareACzxid(t *testing.T) {
	createMany(t, 40, func(t *testing.T, c *creating) {
		for i := range c.dirs {
			c.dirs[i] = c.dirs[i%4]
		}
		c.queue()
		c.flow()
		c.eachHasOne(t)
		type place struct {
			dir   string
			czxid int64
		}
		seen := map[place]string{}
		for i, path := range c.paths {
			stat, _, err := c.s.Exists(t.Context(), path)
			must(t, err)
			at := place{c.dirs[i], stat.Czxid}
			if seen[at] != "" {
				t.Errorf("%s and %s have czxid 0x%x", seen[at], path, stat.Czxid)
			}
			seen[at] = path
		}
		if c.requests[zktest.OpMulti] == 0 {
			t.Error("no request carried several creates")
		}
	})
}

func TestCreatesTogetherOutliveALostMessage(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"request": zktest.LoseRequest, "reply": zktest.LoseReply} {
		t.Run(name, func(t *testing.T) {
			createMany(t, 20, func(t *testing.T, c *creating) {
				lost := c.On(zktest.Match{Op: zktest.OpMulti, Nth: 2}, effect)
				c.queue()
				c.flow()
				c.eachHasOne(t)
				if lost.Hits() != 1 {
					t.Errorf("%d messages were lost", lost.Hits())
				}
			})
		})
	}
}

// A server may refuse a request that large, or not answer it.
func TestCreatesGoTogetherOnce(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"lost": zktest.LoseRequest, "refused": zktest.Fail(zktest.CodeMarshallingError)} {
		t.Run(name, func(t *testing.T) {
			createMany(t, 50, func(t *testing.T, c *creating) {
				for _, server := range c.Servers() {
					server.Slow(50 * time.Millisecond) // so that the later attempts meet each other
				}
				c.On(zktest.Match{Op: zktest.OpMulti, Nth: 2}, effect)
				c.queue()
				c.flow()
				c.eachHasOne(t)
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.alone != 50 {
					t.Errorf("%d creates were sent alone after one batch of all; want 50", c.alone)
				}
			})
		})
	}
}

// If one is refused, the others are not.
func TestACreateThatIsRefusedFailsAlone(t *testing.T) {
	createMany(t, 10, func(t *testing.T, c *creating) {
		_, err := c.s.Create(t.Context(), "/ephemeral", nil, zk.FlagEphemeral, nil)
		must(t, err)
		c.dirs[3], c.dirs[5] = "/ephemeral", "/is/not/there/yet"
		c.queue()
		c.flow()
		if !errors.Is(c.errs[3], zk.ErrNoChildrenForEphemerals) {
			t.Errorf("%v; want %v", c.errs[3], zk.ErrNoChildrenForEphemerals)
		}
		c.paths[3], c.errs[3] = "/ephemeral", nil
		c.eachHasOne(t)
	})
}

func TestCreatesTogetherMayBeLargerThanARequest(t *testing.T) {
	createMany(t, 10, func(t *testing.T, c *creating) {
		c.data = make([]byte, 300_000)
		c.queue()
		c.flow()
		c.eachHasOne(t)
		if n := c.requests[zktest.OpMulti]; n < 2 {
			t.Errorf("they were sent in %d multis", n)
		}
	})
}

func TestQueuedCreatesThatAreCancelledLeaveNothing(t *testing.T) {
	createMany(t, 10, func(t *testing.T, c *creating) {
		ctx, cancel := context.WithCancel(t.Context())
		c.ctx = ctx
		c.queue()
		cancel()
		c.running.Wait()
		for i, err := range c.errs {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("create %d: %v", i, err)
			}
		}
		c.flow()
		await.Sleep(simT)
		c.paths = nil
		c.eachHasOne(t)
	})
}

func TestQueuedCreatesEndWithTheSession(t *testing.T) {
	createMany(t, 10, func(t *testing.T, c *creating) {
		c.queue()
		go func() { // an answer that comes before the end counts
			<-c.s.Done()
			c.Host("a").Heal()
		}()
		c.s.Close()
		c.running.Wait()
		for i, err := range c.errs {
			if !errors.Is(err, session.ErrClosed) {
				t.Errorf("create %d: %v; want %v", i, err, session.ErrClosed)
			}
		}
		c.paths = nil
		c.eachHasOne(t)
	})
}

func TestARemovalThatNeedsManyAttemptsDelaysNoOther(t *testing.T) {
	createMany(t, 10, func(t *testing.T, c *creating) {
		const throttled = -127
		refused := c.On(zktest.Match{Op: zktest.OpDelete, Path: "/0"}, zktest.Fail(throttled))
		bounded, cancel := context.WithTimeout(t.Context(), simT)
		defer cancel()
		c.Host("a").Hold()
		for i, dir := range c.dirs {
			ctx := bounded
			if i == 0 {
				ctx = t.Context()
			}
			c.running.Go(func() { c.errs[i] = c.s.EnsureDeleted(ctx, dir) })
			synctest.Wait()
		}
		c.Host("a").Heal()
		await.Sleep(2 * simT)
		if n := refused.Hits(); n < 5 {
			t.Errorf("the first was refused %d times", n)
		}
		refused.Remove()
		c.running.Wait()
		must(t, errors.Join(c.errs...))
		if nodes := c.Nodes(); len(nodes) > 4 { // the root, and the heartbeat with its directories
			t.Errorf("left: %v", nodes)
		}
	})
}
