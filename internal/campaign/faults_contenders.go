//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/hold"
)

// permits is how many a semaphore has.
const permits = 2

// contenders brings processes of examples/contender to one path instead of candidates: one for each
// of the names of recipes. Each holds what it gets for two leases, again and again.
func contenders(recipes ...string) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error {
		for i, recipe := range recipes {
			c := &candidate{id: names[i], recipe: recipe, home: r.rig.homes[i], zk: addrs(r.rig.Servers()...)}
			r.candidates = append(r.candidates, c)
			if err := r.launch(c); err != nil {
				return err
			}
		}
		return r.served(ctx)
	}
}

// contend is the command that starts a contender, without the flags that it shares with a
// candidate.
func (r *Round) contend(recipe string) string {
	return fmt.Sprintf("%s -recipe %s -size %d -hold %v -rest 10ms", r.contender, recipe, permits, 2*r.lease)
}

// contended reports whether contenders are at work in this round.
func (r *Round) contended() bool { return len(r.candidates) > 0 && r.candidates[0].recipe != "" }

// dirs are where the znodes of the candidates or contenders stand.
func (r *Round) dirs() []string {
	if r.contended() && r.candidates[0].recipe == "semaphore" {
		return []string{path.Join(r.path, "leases"), path.Join(r.path, "locks")}
	}
	return []string{r.path}
}

// served waits until each contender has got what it asks for once more.
func (r *Round) served(ctx context.Context) error {
	since := history.Now()
	return r.until(ctx, "each contender has been served", func(now map[string]*standing) bool {
		for _, c := range r.candidates {
			if s := now[c.id]; !c.killed && (s == nil || s.elected < since || s.beat < s.elected) {
				return false
			}
		}
		return true
	})
}

// holderExpelled cuts a holder off and deletes its znode, so that only its lease protects it. The
// others must be served meanwhile, but not before that lease is over.
func holderExpelled(ctx context.Context, r *Round) error {
	since := history.Now()
	var holder *candidate
	if err := r.until(ctx, "an exclusive one has come to hold", func(now map[string]*standing) bool {
		for _, c := range r.candidates {
			if s := now[c.id]; c.recipe != "read" && s.leading && s.elected > since && s.beat > s.elected {
				holder = c
				return true
			}
		}
		return false
	}); err != nil {
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
	ok, err := r.patiently(ctx, settleWithin*r.T, func(ctx context.Context) error {
		return r.until(ctx, "the others have been served", func(now map[string]*standing) bool {
			for _, c := range r.candidates {
				if s := now[c.id]; c != holder && (s.elected < cut || s.beat < s.elected) {
					return false
				}
			}
			return true
		})
	})
	if err == nil && !ok {
		r.broken(history.Liveness, "the others were not served within %v after %s had been cut off", settleWithin*r.T, holder.id)
	}
	return err
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
	for _, node := range nodes {
		r.fault("%s, a znode of %s, deleted", node, c.id)
		err = errors.Join(err, r.expel(ctx, node))
	}
	return nil, err
}

// contendersHeld are what is broken at random: the same as for candidates, except that the znodes
// to delete must be looked for.
var contendersHeld = append([]hazard{
	freezeServer, freezeServer, killServer, cutServer, cutServer, dropClients,
	cutClient, cutClient, losePackets, pauseOne, pauseOne, killOne, resignOne, expelContender, expelContender,
}, holdEach(hold.Places...)...)
