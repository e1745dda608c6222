package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session/internal/dial"
)

// Client has one session after another with one ensemble. When a session is over, the client opens
// the next, with backoff and jitter, until the client is closed. A program needs one Client for any
// number of recipes. All methods may be called from any goroutine. [Open] makes a Client. The zero
// Client cannot be used: recipes refuse it.
type Client struct {
	*common
	clock clock.Clock
	log   *feed.Log
	thin  *feed.Thin

	ctx     context.Context // ends when the client is closed
	end     context.CancelCauseFunc
	stopped chan struct{} // closed when run has returned

	mu      sync.Mutex // guards what follows
	latest  *Session   // established or not, over or not; nil at the very beginning
	changed notify.Change
	users   map[string]int // how many recipes clean up before the last session closes, by their names
	idle    notify.Change  // tells that users has become empty
	err     error          // why the client closed itself
}

// common is what a client and all its sessions have in common.
type common struct {
	cfg      Config
	servers  []string
	chroot   string
	certs    *certs      // nil without TLS
	names    *dial.Names // set by run
	counts   counts
	refusals refusals
	unknown  unknownOps

	statesDropped atomic.Uint64
}

// Delays between the end of one session and the beginning of the next. They grow while sessions
// last for less than a lease.
const (
	firstReopen   = 50 * time.Millisecond
	longestReopen = 5 * time.Second
)

// sayAfter is how long Close waits for recipes before it logs that it waits.
const sayAfter = 2 * time.Second

// Open checks its arguments and returns a Client that connects in the background. Its only I/O is
// to read Config.TLSFiles. The connect string is ZooKeeper's: "host1:2181,host2:2181/chroot". A
// missing port means 2181; an IPv6 address stands in brackets. All servers must belong to one
// ensemble: two ensembles have two leaders. Open does not ask whether the chroot exists. If it is
// missing, the first recipe that creates a znode creates the chroot, too. Then Config.Logger gets a
// line at WARN, because the chroot may be misspelled.
func Open(connect string, cfg Config) (*Client, error) {
	servers, chroot, err := dial.ParseConnect(connect)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	cfg, err = cfg.withDefaults(chroot)
	if err != nil {
		return nil, err
	}
	logger, log := feed.NewLog(cfg.Logger)
	cfg.Logger = logger
	certs, err := newCerts(&cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		common:  &common{cfg: cfg, servers: servers, chroot: chroot, certs: certs},
		log:     log,
		clock:   clock.From(cfg.Context),
		stopped: make(chan struct{}),
		users:   map[string]int{},
	}
	ctx, thin := feed.WithThin(feed.WithLog(cfg.Context, logger, log), c.clock) // for all recipes of this client
	c.thin = thin
	c.ctx, c.end = context.WithCancelCause(ctx)
	go c.run()
	return c, nil
}

// run opens one session after another.
func (c *Client) run() {
	defer close(c.stopped)
	defer c.thin.Finish(c.log)
	defer c.end(ErrClosed)
	var former sync.WaitGroup // sessions that are over and clean up
	defer former.Wait()
	// A session outlives the client's context for as long as recipes clean up.
	sessions, end := context.WithCancelCause(context.WithoutCancel(c.ctx))
	c.names = dial.NewNames(sessions)
	defer c.names.Wait()
	defer end(ErrClosed)
	pause := retry.New(c.clock, firstReopen, longestReopen)
	for {
		begun := c.clock.Now()
		s, err := newSession(sessions, c.common)
		if err != nil {
			c.fail(err)
			return
		}
		c.replace(s)
		select {
		case <-s.Done():
		case <-c.ctx.Done():
			c.awaitIdle(s)
			s.Close()
			c.changed.Tell()
			return
		}
		c.changed.Tell()
		former.Go(func() { <-s.stopped })
		if errors.Is(s.Err(), ErrAuthFailed) {
			c.fail(s.Err())
			return
		}
		if c.clock.Now().Sub(begun) >= min(longestReopen, s.LeaseTime()) {
			pause.Reset() // it did not fail at once: perhaps another session has taken over from it
		}
		if pause.Wait(c.ctx) != nil {
			return
		}
	}
}

// replace makes s the latest session, and wakes all goroutines that wait for a change.
func (c *Client) replace(s *Session) {
	c.mu.Lock()
	c.latest = s
	c.mu.Unlock()
	c.changed.Tell()
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.end(err)
	c.changed.Tell()
}

// Session waits for a session that is not over and returns it. The session may be suspended. All
// recipes of the client use the same session: if you close it, all of them lose what they hold. If
// ctx ends first, the error tells what is wrong with each server.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	for {
		c.mu.Lock()
		s, changed := c.latest, c.changed.Next()
		c.mu.Unlock()
		var up chan struct{}
		if s != nil && s.Err() == nil {
			s.mu.Lock()
			begun := s.state != StateConnecting // a granted session may still have to authenticate
			up = s.up
			s.mu.Unlock()
			if begun {
				return s, nil
			}
		}
		select {
		case <-changed:
		case <-up:
		case <-c.ctx.Done():
			return nil, context.Cause(c.ctx)
		case <-ctx.Done():
			return nil, fmt.Errorf("session: no session with %s: %w", c.describe(), context.Cause(ctx))
		}
	}
}

// describe lists each server with its last failure.
func (c *Client) describe() string {
	var all []dial.Server
	for _, s := range c.Status().Servers {
		all = append(all, dial.Server(s))
	}
	return describe(all)
}

func describe(servers []dial.Server) string {
	var parts []string
	for _, s := range servers {
		if s.Err != nil {
			parts = append(parts, fmt.Sprintf("%s (%v)", s.Addr, s.Err))
		} else {
			parts = append(parts, s.Addr)
		}
	}
	return strings.Join(parts, ", ")
}

// LeaseAsked returns [Config.Lease]. [Status.LeaseTime] is shorter if the servers have granted a
// short session timeout.
func (c *Client) LeaseAsked() time.Duration { return c.cfg.Lease }

// Context ends when the client is closed, with [ErrClosed] or the reason as its cause. Recipes run
// in it.
func (c *Client) Context() context.Context { return c.ctx }

// KeepOpen gives a recipe time to clean up when the client is closed: to stop its work, then to
// delete its znodes. After Close has been called, the client's last session stays open until done
// is called. done may be called more than once. what names the recipe for people, such as "lock
// /billing (host-a)". If Close waits for more than 2 s, Config.Logger gets a line with these names,
// ten at most.
func (c *Client) KeepOpen(what string) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[what]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.users[what]--; c.users[what] == 0 {
			delete(c.users, what)
		}
		if len(c.users) == 0 {
			c.idle.Tell()
		}
	})
}

// maxNamed is how many of the recipes that Close waits for are named in the log.
const maxNamed = 10

// waitsFor returns how many recipes Close waits for, and their names. The caller holds c.mu.
func (c *Client) waitsFor() (n int, names string) {
	var all []string
	for what, times := range c.users {
		n += times
		if times > 1 {
			what = fmt.Sprintf("%s, %d times", what, times)
		}
		all = append(all, what)
	}
	slices.Sort(all)
	if more := len(all) - maxNamed; more > 0 {
		all = append(all[:maxNamed], fmt.Sprintf("and %d others", more))
	}
	return n, strings.Join(all, "; ")
}

// awaitIdle waits until no recipe uses the client, or until the client's session is over.
func (c *Client) awaitIdle(s *Session) {
	timer := clock.NewTimer(c.clock)
	defer timer.Stop()
	timer.Reset(sayAfter)
	for {
		c.mu.Lock()
		users, names := c.waitsFor()
		idle := c.idle.Next()
		c.mu.Unlock()
		if users == 0 {
			return
		}
		select {
		case <-idle:
		case <-timer.C:
			c.cfg.Logger.Warn("closing waits until all is released and all work has stopped", "recipes", users, "for", names)
		case <-s.Done():
			return
		}
	}
}

// Close closes the client. Recipes clean up first, then the session is closed, which deletes its
// ephemeral znodes. Close waits for each term, lock or permit that was not released, and for each
// callback that has not returned, at most for the recipe's DrainTimeout, 30 s by default. So if a
// Release was forgotten, Close takes that long. If a term, lock or permit was lost, Close does not
// wait for its work. While no server answers, Close takes up to three quarters of a lease and a
// third of the session timeout more, 8 s by default. After 2 s Config.Logger gets a line that names
// what it waits for. When Close returns, nothing of the client is left running. It may be called
// more than once and from several goroutines, but not from a recipe's callback: Close would wait
// for that callback. The error is always nil; it is there for io.Closer.
func (c *Client) Close() error {
	c.end(ErrClosed)
	<-c.stopped
	return nil
}
