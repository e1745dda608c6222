//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/hold"
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
// whether permits have slots, and whether contenders are told to do more than to hold.
func (r *Round) bring(ctx context.Context, kinds []kind, at, rest []*ensemble.Server) error {
	r.telling = r.rng.IntN(2) == 0
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
	return r.served(ctx)
}

// setSize makes the semaphore where its size is to change. Contenders take the size from the path
// then, because one that is started again does not know what it is by now.
func (r *Round) setSize(ctx context.Context) error {
	if !r.telling {
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

// contend is the command that starts a contender, without the flags that it shares with a
// candidate.
func (r *Round) contend(k kind) string {
	size := permits
	if r.telling {
		size = 0
	}
	return fmt.Sprintf("%s -recipe %s -size %d -slots=%v -hold %v -rest 10ms %s",
		r.contender, k.recipe, size, r.slots, 2*r.lease, k.flags)
}

// pathsOf are where the locks of a kind are.
func (r *Round) pathsOf(k kind) (all []string) {
	for _, name := range strings.Split(k.paths, ",") {
		all = append(all, path.Join(r.path, name))
	}
	return all
}

// tells tells the holder of an exclusive lock, or somebody else, to do more than to hold, in half
// of the rounds: the writer becomes a reader, the holder is asked to release the lock, the size of
// a semaphore changes. The fault comes before that, meanwhile or after it.
func (r *Round) tells(ctx context.Context, holder *candidate) error {
	if !r.telling {
		return nil
	}
	to, word := pick(r, r.candidates), "revoke"
	switch {
	case holder.recipe == "semaphore":
		word = fmt.Sprint("resize ", permits+r.rng.IntN(3))
	case holder.recipe == "write" && r.rng.IntN(3) > 0:
		to, word = holder, "downgrade"
	}
	r.fault("%s is told to %s", to.id, word)
	to.command(word)
	return r.last(ctx, r.leases(0, .25))
}

// tellOne tells somebody at random.
func tellOne(ctx context.Context, r *Round) (func(context.Context) error, error) {
	return nil, r.tells(ctx, r.someone())
}

// countTold notes what contenders have done besides.
func (r *Round) countTold() {
	for _, l := range r.all() {
		switch l.Event {
		case "downgraded", "revoked", "resized":
			r.notes.count(l.Event, true)
		}
	}
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

// comesToHold waits until one of these contenders holds, and returns it. A reader does not count:
// others may hold beside it.
func (r *Round) comesToHold(
	ctx context.Context, some ...*candidate,
) (holder *candidate, err error) {
	since := history.Now()
	err = r.until(ctx, "an exclusive one has come to hold", func(now map[string]*standing) bool {
		for _, c := range some {
			s := now[c.id]
			if s != nil && c.recipe != "read" && s.leading && s.elected > since && s.beat > s.elected {
				holder = c
				return true
			}
		}
		return false
	})
	return holder, err
}

// othersServed waits until all contenders but one have got what they ask for after a fault. That is
// a question of liveness: nothing else is broken.
func (r *Round) othersServed(ctx context.Context, but *candidate, since int64) error {
	ok, err := r.patiently(ctx, settleWithin*r.T, func(ctx context.Context) error {
		return r.until(ctx, "the others have been served", func(now map[string]*standing) bool {
			for _, c := range r.candidates {
				s := now[c.id]
				if c != but && !c.tries() && !s.served(since) {
					return false
				}
			}
			return true
		})
	})
	if err == nil && !ok {
		r.broken(history.Liveness, "the others were not served within %v after the fault that hit %s",
			settleWithin*r.T, but.id)
	}
	return err
}

// holderExpelled cuts a holder off and deletes its znode, so that only its lease protects it. The
// others must be served meanwhile, but not before that lease is over.
func holderExpelled(ctx context.Context, r *Round) error {
	holder, err := r.comesToHold(ctx, r.candidates...)
	if err != nil {
		return err
	}
	if err := r.tells(ctx, holder); err != nil {
		return err
	}
	if err := r.cut(ctx, holder); err != nil {
		return err
	}
	nodes, err := r.nodesOf(ctx, holder)
	if err != nil {
		return err
	}
	cut := r.fault("the znodes of %s deleted: %q", holder.id, nodes)
	for _, node := range nodes {
		if err := r.expel(ctx, node); err != nil {
			return err
		}
	}
	r.notes.count("held when deleted", r.of(holder.id).leading)
	return r.othersServed(ctx, holder, cut)
}

// oneOfSetDeleted deletes one of the znodes of a set that is held. All of the set is lost then, and
// the others must be served.
func oneOfSetDeleted(ctx context.Context, r *Round) error {
	holder, err := r.comesToHold(ctx, r.candidates[0])
	if err != nil {
		return err
	}
	nodes, err := r.nodesOf(ctx, holder)
	if err != nil {
		return err
	}
	if len(nodes) < 2 {
		return fmt.Errorf("%w: %s has released its locks already", errAgain, holder.id)
	}
	node := pick(r, nodes)
	since := r.fault("%s, one of the znodes of %s, deleted", node, holder.id)
	if err := r.expel(ctx, node); err != nil {
		return err
	}
	return r.othersServed(ctx, holder, since)
}

// holderKilled kills a holder with kill -9. The others must be served.
func holderKilled(ctx context.Context, r *Round) error {
	holder, err := r.comesToHold(ctx, r.candidates...)
	if err != nil {
		return err
	}
	if err := r.tells(ctx, holder); err != nil {
		return err
	}
	return r.othersServed(ctx, holder, r.kill(holder))
}

// holdersFollowerCut is followerCutAlone and followerCut for contenders: the holder knows no server
// but the follower, or all. The seed says which.
func holdersFollowerCut(ctx context.Context, r *Round) error {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return err
	}
	at, rest, alone := r.rig.Servers(), r.rig.Servers(), r.rng.IntN(2) == 0
	if alone {
		at, rest = []*ensemble.Server{follower}, r.rig.others(follower)
	}
	if err := r.bring(ctx, r.anyKinds(), at, rest); err != nil {
		return err
	}
	some := r.candidates
	if alone {
		some = some[:1]
	}
	holder, s, err := r.holderAtFollower(ctx, some...)
	if err != nil {
		return err
	}
	if err := r.tells(ctx, holder); err != nil {
		return err
	}
	since, err := r.cutOff(ctx, s)
	if err != nil {
		return err
	}
	r.notes.count("held when cut", r.of(holder.id).leading)
	r.notes.count("alone", alone)
	return r.othersServed(ctx, holder, since)
}

// holderAtFollower waits until one of some contenders has come to hold whose server is a follower,
// and returns both.
func (r *Round) holderAtFollower(
	ctx context.Context, some ...*candidate,
) (*candidate, *ensemble.Server, error) {
	for range 20 {
		holder, err := r.comesToHold(ctx, some...)
		if err != nil {
			return nil, nil, err
		}
		zkLeader, err := r.rig.Leader(ctx)
		if err != nil {
			return nil, nil, err
		}
		if s := r.rig.holder(ctx, r.of(holder.id).session); s != nil && s != zkLeader {
			return holder, s, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: nobody at a follower holds", errAgain)
}

// holdersPingLoopHeld is pingLoopHeld for contenders. They hold in turn, so the one whose session
// has expired has to come to hold once more before it is cut off.
func holdersPingLoopHeld(ctx context.Context, r *Round) error {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return err
	}
	zkLeader, err := r.rig.Leader(ctx)
	if err != nil {
		return err
	}
	at, rest := []*ensemble.Server{follower}, []*ensemble.Server{zkLeader}
	if err := r.bring(ctx, locks[:2], at, rest); err != nil {
		return err
	}
	a := r.candidates[0]
	loop, tracker, err := r.expireAtFollowers(ctx, zkLeader)
	if err != nil {
		return err
	}
	if _, err := r.comesToHold(ctx, a); err != nil {
		return err
	}
	if err := r.cut(ctx, a); err != nil {
		return err
	}
	nodes, err := r.nodesOf(ctx, a)
	if err != nil {
		return err
	}
	term := r.of(a.id)
	r.notes.count("held when cut", term.leading)
	if len(nodes) == 0 {
		return fmt.Errorf("%w: %s was cut off between two times of holding", errAgain, a.id)
	}
	term.node = nodes[0]
	return r.closeSession(ctx, a, term, loop, tracker)
}

// nodesOf returns the znodes of a contender's session at the path. A contender does not tell them.
func (r *Round) nodesOf(ctx context.Context, c *candidate) (nodes []string, err error) {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return nil, err
	}
	for _, dir := range r.dirs() {
		names, _, err := s.Children(ctx, dir)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return nil, err
		}
		for _, name := range names {
			stat, ok, err := s.Exists(ctx, path.Join(dir, name))
			if err != nil {
				return nil, err
			}
			if ok && fmt.Sprintf("%#x", stat.EphemeralOwner) == r.of(c.id).session {
				nodes = append(nodes, path.Join(dir, name))
			}
		}
	}
	return nodes, nil
}

// expelContender deletes the znodes of a contender, whether it holds or waits.
func expelContender(ctx context.Context, r *Round) (func(context.Context) error, error) {
	ctx, cancel := context.WithTimeout(ctx, r.T/2)
	defer cancel()
	c := r.someone()
	nodes, err := r.nodesOf(ctx, c)
	if c.paths != "" && len(nodes) > 1 { // of a set often one alone
		nodes = nodes[r.rng.IntN(len(nodes)):]
	}
	for _, node := range nodes {
		r.fault("%s, a znode of %s, deleted", node, c.id)
		err = errors.Join(err, r.expel(ctx, node))
	}
	return nil, err
}

// contendersHeld are what is broken at random: the same as for candidates, except that the znodes
// to delete must be looked for, and that contenders are told to do more.
var contendersHeld = append([]hazard{
	freezeServer, freezeServer, killServer, cutServer, cutServer, dropClients,
	cutClient, cutClient, losePackets, pauseOne, pauseOne, killOne, resignOne, expelContender, expelContender,
	tellOne, tellOne, tellOne, tellOne, tellOne, tellOne, tellOne, tellOne, tellOne, tellOne,
}, holdEach(hold.Places...)...)
