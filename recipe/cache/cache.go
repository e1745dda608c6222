package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session"
)

// Node is one state of a znode.
type Node struct {
	// Path is the whole path.
	Path string
	// Data is shared with the cache and with others who have read it: do not change it.
	Data []byte
	// Stat is from the read of Data. If the cache has a list of the children, Cversion, NumChildren
	// and Pzxid are from the latest one.
	Stat zk.Stat
	// Hidden: the client has no permission to read the znode. Data and what is below are missing.
	Hidden bool
}

// same reports whether two states of existing znodes are one: the same znode with the data of the
// same write.
func (n *Node) same(m *Node) bool {
	return n.Stat.Czxid == m.Stat.Czxid && n.Stat.Mzxid == m.Stat.Mzxid && n.Hidden == m.Hidden
}

// Snapshot is what a cache holds at one moment.
type Snapshot struct {
	// Nodes are the znodes by their paths. Each is a state that the znode had; the states may
	// belong to different times.
	Nodes map[string]Node
	// AsOf is a moment: it is proved that Nodes is no older. Everything that was acknowledged to
	// anybody before AsOf is in Nodes, or has been replaced by something newer.
	AsOf time.Time

	asOf  clock.Instant
	clock clock.Clock
}

// Age returns how long ago AsOf is, by a clock that does not jump.
func (s Snapshot) Age() time.Duration {
	if s.clock == nil {
		return 1<<63 - 1
	}
	return s.clock.Now().Sub(s.asOf)
}

// Cache is a copy of one znode, of its children too, or of a whole tree, that follows what happens
// there. Its methods may be called from any goroutine.
type Cache struct {
	client *session.Client
	path   string
	cfg    Config
	clock  clock.Clock
	cancel context.CancelCauseFunc
	often  *slog.Logger  // for lines that repeat while something does not work
	done   chan struct{} // closed when run has returned
	wake   chan struct{} // to run: look again
	asking chan struct{} // held while Config.Keep is asked

	mu      sync.Mutex // guards what follows; held for moments, never during I/O
	root    *node
	nodes   int
	bytes   int64
	changes changes
	hidden  map[*node]struct{} // those that the client has no permission to read

	watch   *session.TreeWatch // of the present session, or nil
	latest  uint64             // the connection that the watches are on, or are being left on
	queue   []*node            // those with something to do, oldest first
	readers int                // goroutines that read
	failed  error              // why following has failed in this session

	round   uint64         // of the work that arises now
	open    map[uint64]int // how much of each round is not done
	asked   uint64         // counts calls of Fresh
	wanted  bool           // they wait for a proof that has not begun
	proving bool           // one has begun
	next    *proof         // answered, but without a round yet
	proofs  []proof        // whose rounds are not done
	proved  proof          // the latest that is

	failure error         // what went wrong last, nil since the latest proof
	err     error         // why the cache ended
	settled notify.Change // tells that a proof is done or the cache ends
	counts  Counts

	// Owned by run.
	since  int64         // up to which all changes had been told when the last session ended
	pollAt clock.Instant // when to look for the path again while it is missing
	checks []*node       // still to be checked in this round of checks
	check  clock.Instant // when the next is due
}

// A proof says that all that was acknowledged before it began is known once all work up to its
// round is done.
type proof struct {
	begun clock.Instant
	wall  time.Time
	asked uint64 // the last call of Fresh before
	round uint64
}

// New begins to follow the znode at path, of at most 64 KiB, which need not exist, until Close is
// called or the client is closed. It checks its arguments and does no I/O itself.
func New(client *session.Client, path string, cfg Config) (*Cache, error) {
	if client == nil || client.Context() == nil {
		return nil, errNoClient
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(client.Context())
	logger, lines := feed.LogOf(client.Context(), nil)
	c := &Cache{
		client: client, path: path, cfg: cfg, clock: clock.From(client.Context()), cancel: cancel,
		done: make(chan struct{}), wake: make(chan struct{}, 1), asking: make(chan struct{}, 1),
		root: &node{}, nodes: 1, bytes: int64(len(path)),
		open: map[uint64]int{}, hidden: map[*node]struct{}{},
		often: feed.Thinned(client.Context(), logger, lines, feed.Failures).With("cache", path),
	}
	c.changes = changes{pending: map[string]*list.Element{}, wake: make(chan struct{}, 1)}
	c.need(c.root, c.all(c.root), 0)
	left := client.KeepOpen("cache " + path)
	go func() {
		defer left()
		defer close(c.done)
		c.run(ctx)
	}()
	return c, nil
}

// Close ends the cache and waits until nothing of it is left running, but for a [Config].Keep that
// has not returned. It may be called more than once.
func (c *Cache) Close() {
	c.cancel(fmt.Errorf("cache: %s: the cache was closed: %w", c.path, session.ErrClosed))
	<-c.done
}

// Err returns why the cache has ended, or nil while it has not. It is one of these:
//
//   - a [*TooLargeError];
//   - a [*recipe.PermanentError], if the servers refused a request before the first complete state,
//     and no retry can cure that;
//   - the reason for which the client was closed;
//   - after Close, an error that wraps [session.ErrClosed].
func (c *Cache) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// await waits until holds, which is called under c.mu, returns true. If ctx ends before, the error
// says that lacking is missing.
func (c *Cache) await(ctx context.Context, lacking string, holds func() bool) error {
	for {
		c.mu.Lock()
		err, ok, more := c.err, c.err == nil && holds(), c.settled.Next()
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return c.cut(ctx, lacking)
		}
	}
}

// cut returns the error for a wait that ctx has ended. It tells what is missing, and the reason if
// that is known.
func (c *Cache) cut(ctx context.Context, lacking string) error {
	why, st := context.Cause(ctx), c.Status()
	if _, err := c.client.Session(ctx); errors.Is(err, why) {
		why, st = err, Status{} // there is no session, and the error tells what is wrong with each server
	}
	if st.Unread > 0 {
		lacking = fmt.Sprintf("%s, znodes to be read: %d", lacking, st.Unread)
	}
	if st.Err != nil {
		why = fmt.Errorf("%w (%w)", why, st.Err)
	}
	return fmt.Errorf("cache: %s: %s: %w", c.path, lacking, why)
}

// loaded reports whether there has been a first complete state.
func (c *Cache) loaded() bool { return !c.proved.begun.IsZero() }

// Wait waits for the first complete state.
func (c *Cache) Wait(ctx context.Context) error { return c.await(ctx, "not loaded yet", c.loaded) }

// Get returns the znode at path. ok is false if there is none. Get waits for the first complete
// state; after that it returns at once. The error wraps the cause of ctx, or is [Cache.Err].
func (c *Cache) Get(ctx context.Context, path string) (n Node, ok bool, err error) {
	if _, inside := c.below(path); !inside {
		return Node{}, false, fmt.Errorf("cache: path %q: want %s or a path below it", path, c.path)
	}
	if err := checkPath(path); err != nil {
		return Node{}, false, err
	}
	if err := c.Wait(ctx); err != nil {
		return Node{}, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.view(c.find(path), path); v != nil {
		return *v, true, nil
	}
	return Node{}, false, nil
}

// Snapshot returns all that the cache holds. It waits for the first complete state; after that it
// returns at once. It copies the nodes, but not their data.
func (c *Cache) Snapshot(ctx context.Context) (Snapshot, error) {
	if err := c.Wait(ctx); err != nil {
		return Snapshot{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Nodes: make(map[string]Node, c.nodes), AsOf: c.proved.wall, asOf: c.proved.begun, clock: c.clock}
	c.each(c.root, c.path, func(n *node, path string) {
		if v := c.view(n, path); v != nil {
			s.Nodes[path] = *v
		}
	})
	return s, nil
}

// each calls f with n and all nodes below it, parents first.
func (c *Cache) each(n *node, path string, f func(n *node, path string)) {
	f(n, path)
	for name, child := range n.children {
		c.each(child, join(path, name), f)
	}
}

// Fresh waits until the cache holds everything that was acknowledged, to anybody, before Fresh was
// called. It costs one transaction that checks the cache's own path and changes nothing. Calls at
// the same time share it. It needs no permission. If READ was refused to the cache for some time,
// Fresh does not find what changed meanwhile: newer servers send no event of that, and only the
// checks of [Config].Recheck find it.
func (c *Cache) Fresh(ctx context.Context) error {
	c.mu.Lock()
	c.asked++
	asked := c.asked
	c.wanted = true
	c.mu.Unlock()
	c.poke()
	return c.await(ctx, "not known to be fresh yet", func() bool { return c.proved.asked >= asked })
}

// poke makes run look again.
func (c *Cache) poke() { notify.Signal(c.wake) }
