//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/hold"
)

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
	if err := r.asks(ctx, holder); err != nil {
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

// writerReads has a writer become a reader. In some rounds that one is killed then. The others must
// be served.
func writerReads(ctx context.Context, r *Round) error {
	writer, err := r.comesToHold(ctx, r.candidates...)
	if err != nil {
		return err
	}
	since := r.ask(writer, "downgrade")
	reads, err := r.patiently(ctx, 2*r.lease, func(ctx context.Context) error {
		return r.until(ctx, writer.id+" reads", func(now map[string]*standing) bool {
			return now[writer.id].reads > since
		})
	})
	if err != nil {
		return err
	}
	r.notes.count("reads", reads)
	if r.rng.IntN(3) == 0 {
		since = r.kill(writer)
	}
	return r.othersServed(ctx, writer, since)
}

// holderKilled kills a holder with kill -9. The others must be served.
func holderKilled(ctx context.Context, r *Round) error {
	holder, err := r.comesToHold(ctx, r.candidates...)
	if err != nil {
		return err
	}
	if err := r.asks(ctx, holder); err != nil {
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
	if err := r.asks(ctx, holder); err != nil {
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
// to delete must be looked for, and that contenders are asked to do more.
var contendersHeld = append([]hazard{
	freezeServer, freezeServer, killServer, cutServer, cutServer, dropClients,
	cutClient, cutClient, losePackets, pauseOne, pauseOne, killOne, resignOne, expelContender, expelContender,
	askOne, askOne, askOne, askOne, askOne, askOne, askOne, askOne, askOne, askOne,
}, holdEach(hold.Places...)...)
