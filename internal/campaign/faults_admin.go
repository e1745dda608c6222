//go:build linux

package campaign

import (
	"context"
	"errors"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

var (
	worldACL = zk.WorldACL(zk.PermAll)
	adminACL = zk.DigestACL(zk.PermAll, "admin", "secret")
)

func expelLeader(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	since := r.fault("the leader's znode deleted")
	if err := r.expel(ctx, l.term.node); err != nil {
		return err
	}
	return r.mustSucceed(ctx, l.term.token, since)
}

// expelUnheard deletes the leader's znode while the leader cannot hear of it: for the rest of its
// lease it leads, and nobody else may.
func expelUnheard(ctx context.Context, r *Round) error {
	follower, l, err := r.followersAlone(ctx)
	if err != nil {
		return err
	}
	r.fault("server %d cut from the quorum", follower.ID())
	if err := r.rig.cutQuorum(ctx, follower, Both); err != nil {
		return err
	}
	if err := r.last(ctx, r.leases(0, 0.5)); err != nil {
		return err
	}
	since := r.fault("the leader's znode deleted")
	if err := r.expel(ctx, l.term.node); err != nil {
		return err
	}
	return r.mustSucceed(ctx, l.term.token, since)
}

func expelWaiter(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	c := pick(r, l.waiting)
	old := r.of(c.id)
	return r.keepsLeading(l, func() error {
		r.fault("the znode of %s, who waits, deleted", c.id)
		if err := r.expel(ctx, old.node); err != nil {
			return err
		}
		return r.until(ctx, c.id+" stands in line again", func(now map[string]*standing) bool {
			s := now[c.id]
			return s != nil && s.inLine && s.node != old.node
		})
	})
}

// expelAll deletes the path with all that is in it, while candidates come back and create it again.
func expelAll(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	since := r.fault("the path deleted")
	for {
		names, _, err := s.Children(ctx, r.path)
		for _, name := range names {
			if err := r.expel(ctx, path.Join(r.path, name)); err != nil {
				return err
			}
		}
		if err == nil {
			r.mark(history.Line{Event: "erasing"})
			err = s.Delete(ctx, r.path, -1)
		}
		switch {
		case err == nil || errors.Is(err, zk.ErrNoNode):
			r.mark(history.Line{Event: "erased"})
			return r.mustSucceed(ctx, l.term.token, since)
		case !errors.Is(err, zk.ErrNotEmpty):
			return err
		}
	}
}

// pathOfHand lines up candidates in a path that an administrator has made, with numbers used up, so
// that smaller ones can be planted. The first candidate does not know what became of those that had
// the numbers.
func pathOfHand(ctx context.Context, r *Round) error {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	if err := s.EnsurePath(ctx, r.path, nil); err != nil {
		return err
	}
	for range 3 {
		node, err := s.Create(ctx, r.path+"/used-", nil, zk.FlagSequence, nil)
		if err == nil {
			err = s.EnsureDeleted(ctx, node)
		}
		if err != nil {
			return err
		}
	}
	return r.lineUp(ctx, 3)
}

// plant creates children that are nobody's. The leader then resigns and comes back behind them, and
// a new candidate joins. The children must not disturb that, and no candidate may delete them. New
// candidates wait behind a child that looks like a candidate with a lower number, so such children
// are deleted before the end.
func plant(lower, readable bool) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error {
		planted := []string{"readme", "latch", "x-latch-1", "_c_nobody", "0000000001"}
		flags := int32(0)
		if lower {
			planted = []string{"_c_00000000-0000-0000-0000-000000000001-latch-0000000000", "_c_00000000-0000-0000-0000-000000000002-lock-0000000001"}
			flags = zk.FlagEphemeral
		}
		acl := worldACL
		if !readable {
			acl = adminACL
		}
		s, err := r.rig.admin.Session(ctx)
		if err != nil {
			return err
		}
		r.fault("planted %v", planted)
		for _, name := range planted {
			node := path.Join(r.path, name)
			if _, err := s.Create(ctx, node, nil, flags, acl); err != nil {
				return err
			}
			r.foreign = append(r.foreign, node)
		}
		l, err := r.line(ctx)
		if err != nil {
			return err
		}
		if err := r.mustSucceed(ctx, l.term.token, r.resign(l.leader)); err != nil {
			return err
		}
		if _, err := r.start("d"); err != nil {
			return err
		}
		if err := r.until(ctx, "all stand in line", func(now map[string]*standing) bool {
			return now["d"] != nil && now["d"].inLine && now[l.leader.id].inLine && now[l.leader.id].node != l.term.node
		}); err != nil || !lower {
			return err
		}
		return r.unplant(ctx)
	}
}

// unplant demands that what was planted is still there, and deletes it.
func (r *Round) unplant(ctx context.Context) error {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	for _, node := range r.foreign {
		if _, ok, err := s.Exists(ctx, node); err != nil {
			return err
		} else if !ok {
			r.broken(history.Foreign, "%s was deleted", node)
		}
		if err := s.EnsureDeleted(ctx, node); err != nil {
			return err
		}
	}
	r.foreign = nil
	return nil
}
