//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// permits is how many a semaphore has.
const permits = 2

// kind is a kind of contender.
type kind struct {
	recipe string
	flags  string // besides
	paths  string // of its locks, below the round's path, separated by commas; "": the path itself
}

var (
	oneLock   = kind{recipe: "lock"}
	triesLock = kind{recipe: "lock", flags: "-try"}
	reader    = kind{recipe: "read"}
	writer    = kind{recipe: "write"}
	onePermit = kind{recipe: "semaphore"}
	triesOne  = kind{recipe: "semaphore", flags: "-try"}
	both      = kind{recipe: "semaphore", flags: "-permits 2"}
)

func lockAt(paths string) kind { return kind{recipe: "lock", paths: paths} }

// Contenders that share a path.
var (
	locks      = []kind{oneLock, oneLock, oneLock}
	readWrite  = []kind{writer, reader, reader, writer}
	semaphores = []kind{onePermit, onePermit, onePermit, onePermit}
	atOnce     = []kind{both, onePermit, both, onePermit}
	tries      = []kind{oneLock, triesLock, triesLock}
	triesAny   = []kind{onePermit, onePermit, triesOne, triesOne}
	sets       = []kind{lockAt("a,b"), lockAt("b,c"), lockAt("c,a"), lockAt("b")}
	aSet       = []kind{lockAt("a,b"), lockAt("a"), lockAt("b")}
)

// contenders brings processes of examples/contender to one path instead of candidates: one for each
// of the kinds. Each holds what it gets for two leases, again and again.
func contenders(kinds ...kind) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error {
		return r.bring(ctx, kinds, r.rig.Servers(), r.rig.Servers())
	}
}

// anyContenders brings contenders for locks, a read-write lock or a semaphore, as the seed says.
func anyContenders(ctx context.Context, r *Round) error {
	return contenders(r.anyKinds()...)(ctx, r)
}

func (r *Round) anyKinds() []kind {
	return pick(r, [][]kind{locks, readWrite, semaphores, atOnce, tries, triesAny, sets})
}

// bring brings contenders; the first knows the servers at, the others know rest. The seed says
// whether permits have slots, and whether contenders are asked to do more than to hold.
func (r *Round) bring(ctx context.Context, kinds []kind, at, rest []*ensemble.Server) error {
	r.asking = r.rng.IntN(2) == 0
	if kinds[0].recipe == "semaphore" {
		r.drawSlots()
		r.notes.count("with slots", r.slots)
		if err := r.setSize(ctx); err != nil {
			return err
		}
	}
	for i, k := range kinds {
		c := &candidate{id: names[i], kind: k, home: r.rig.homes[i], zk: addrs(at...)}
		r.candidates, at = append(r.candidates, c), rest
		if err := r.launch(c); err != nil {
			return err
		}
	}
	for _, dir := range r.dirs() {
		if dir != r.path { // which is watched already
			r.watch(ctx, dir)
		}
	}
	return r.served(ctx)
}

// setSize makes the semaphore where its size is to change. Contenders take the size from the path
// then, because one that is started again does not know what it is by now.
func (r *Round) setSize(ctx context.Context) error {
	if !r.asking {
		return nil
	}
	// With the lease of the contenders: the path says how long one may be.
	client, err := session.Open(addrs(r.rig.Servers()...),
		session.Config{Timeout: r.T, Lease: r.lease})
	if err != nil {
		return err
	}
	s, err := semaphore.New(client, r.path, permits, semaphore.Config{})
	if err == nil {
		err = s.Resize(ctx, permits)
	}
	return errors.Join(err, client.Close())
}

// registers is where the registers of locks are. Each has the path of its lock below that.
const registers = "/registers"

// contend is the command that starts a contender, without the flags that it shares with a
// candidate.
func (r *Round) contend(k kind) string {
	size := permits
	if r.asking {
		size = 0
	}
	flags := k.flags
	if k.recipe != "semaphore" { // several hold its permits at one time
		flags += " -write " + registers
	}
	return fmt.Sprintf("%s -recipe %s -size %d -slots=%v -hold %v -rest 10ms %s",
		r.contender, k.recipe, size, r.slots, 2*r.lease, flags)
}

// pathsOf are where the locks of a kind are.
func (r *Round) pathsOf(k kind) (all []string) {
	for _, name := range strings.Split(k.paths, ",") {
		all = append(all, path.Join(r.path, name))
	}
	return all
}

// contended reports whether contenders are at work in this round.
func (r *Round) contended() bool { return len(r.candidates) > 0 && r.candidates[0].recipe != "" }

// dirs are where the znodes of the candidates or contenders stand.
func (r *Round) dirs() (all []string) {
	if r.contended() && r.candidates[0].recipe == "semaphore" {
		return []string{path.Join(r.path, "leases"), path.Join(r.path, "locks")}
	}
	for _, c := range r.candidates {
		all = append(all, r.pathsOf(c.kind)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// tries reports whether it does not wait. Then it may find that it is busy each time.
func (c *candidate) tries() bool { return strings.Contains(c.flags, "-try") }

// served waits until each contender has got what it asks for once more.
func (r *Round) served(ctx context.Context) error {
	since := history.Now()
	return r.until(ctx, "each contender has been served", func(now map[string]*standing) bool {
		for _, c := range r.candidates {
			if s := now[c.id]; !c.killed && !c.tries() && !s.served(since) {
				return false
			}
		}
		return true
	})
}

// asks asks for more than to hold, in half of the rounds: a holder that writes is to read, somebody
// asks the holder to release the lock, or changes the size of the semaphore. The fault comes before
// that has been done, meanwhile or after it.
func (r *Round) asks(ctx context.Context, holder *candidate) error {
	if !r.asking {
		return nil
	}
	to, word := pick(r, r.candidates), "revoke"
	switch {
	case holder.recipe == "semaphore":
		word = fmt.Sprint("resize ", permits+r.rng.IntN(3))
	case holder.recipe == "write" && r.rng.IntN(3) > 0:
		to, word = holder, "downgrade"
	}
	r.ask(to, word)
	return r.last(ctx, r.leases(0, .25))
}

// ask sends a command, and returns when.
func (r *Round) ask(c *candidate, word string) (since int64) {
	since = r.fault("%s is told to %s", c.id, word)
	c.command(word)
	return since
}

// askOne is asks at random.
func askOne(ctx context.Context, r *Round) (func(context.Context) error, error) {
	holder := r.leader()
	if holder == nil {
		return nil, nil
	}
	return nil, r.asks(ctx, holder)
}

// countAsked notes what contenders have done besides.
func (r *Round) countAsked() {
	for _, l := range r.all() {
		switch l.Event {
		case "downgraded", "revoked", "resized":
			r.notes.count(l.Event, true)
		}
	}
}
