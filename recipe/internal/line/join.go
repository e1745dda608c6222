package line

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// Join creates the own znode and finds its place. When it fails, no znode is left behind.
func Join(ctx context.Context, s *session.Session, cfg Config) (*Place, error) {
	path, err := create(ctx, s, cfg)
	if err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	p := &Place{s: s, cfg: cfg, dir: cfg.Dir, path: path, wake: wake, own: s.Watch(path, wake)}
	if err := p.find(ctx); err != nil {
		p.Abandon()
		return nil, err
	}
	p.hold = s.Reserve(p.own, wake)
	p.chores.begin(p, cfg.Clock)
	return p, nil
}

// create makes the own znode, and the path with the line's record where it is missing. The record
// allows the lease that was asked for: others may have been granted that, where this session's
// was cut because of its server.
func create(ctx context.Context, s *session.Session, cfg Config) (string, error) {
	for {
		path, err := s.CreatePlace(ctx, cfg.Dir, string(cfg.Style), cfg.Data, cfg.ACL)
		if !errors.Is(err, zk.ErrNoNode) || ctx.Err() != nil {
			return path, err
		}
		first := record{lease: s.LeaseAsked()}
		if err := s.EnsureNode(ctx, cfg.Dir, []byte(first.String()), cfg.ACL); err != nil {
			return "", err
		}
	}
}

// find reads the own znode and lists the line.
func (p *Place) find(ctx context.Context) error {
	if err := p.checkOwn(ctx); err != nil {
		return err
	}
	for {
		r, err := read(ctx, p.cfg.Clock, p.s, p.dir)
		if err != nil {
			return err
		}
		ahead, ok := Ahead(p.Name(), r.names)
		if ok {
			p.ahead = ahead
			return p.enter(ctx, r)
		}
		// The own create came before this list, in one session: it can only be missing
		// because it has been deleted.
		if err := p.s.Sync(ctx, p.path); err != nil {
			return err
		}
		_, ok, err = p.s.Exists(ctx, p.path)
		if err != nil {
			return err
		}
		if !ok {
			return ErrGone
		}
	}
}

// enter takes in the line's record. A number that is neither listed nor over may belong to a
// holder that vanished just before: its lease may still run.
func (p *Place) enter(ctx context.Context, r reading) error {
	if err := p.take(ctx, r.record, r.stat.Version); err != nil {
		return err
	}
	own := p.number()
	if own == NoNumber || !p.ours && own > 0 || !p.record.complete(own, r.names) {
		p.departures = append(p.departures, departure{NoNumber, r.at.Add(session.Outlast(p.record.lease)), true})
	}
	return nil
}

// NoNumber stands for a number that tells nothing: the server has none left.
const NoNumber = math.MaxInt64

// NumberOf returns the number in a name, or NoNumber.
func NumberOf(n Name) int64 {
	if n.Seq < 0 || n.Seq == math.MaxInt32 {
		return NoNumber
	}
	return int64(n.Seq)
}

// number returns the own number in the line.
func (p *Place) number() int64 {
	n, _ := Parse(p.Name())
	return NumberOf(n)
}

// Order picks out the names that stand in the line and puts them in order, first to
// last. Age and number are the same order, as long as the server has numbers left; after
// that Order asks for everybody's age, and leaves out those who have gone.
func Order(ctx context.Context, s *session.Session, dir string, children []string) ([]Name, error) {
	names := Sort(children)
	if !Ambiguous(names) {
		return names, nil
	}
	var known []Name
	for _, n := range names {
		stat, ok, err := s.Exists(ctx, dir+"/"+n.Full)
		if err != nil {
			return nil, err
		}
		if ok {
			n.Czxid = stat.Czxid
			known = append(known, n)
		}
	}
	slices.SortFunc(known, Compare)
	return known, nil
}

func goneIfNoNode(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return ErrGone
	}
	return err
}

// checkOwn reads the own znode, which leaves a watch, and makes sure that it is ours.
// It needs READ on it: without, neither checks nor watches work.
func (p *Place) checkOwn(ctx context.Context) error {
	data, stat, err := p.own.Get(ctx)
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("the ACL of our own znode must allow us READ: %w", err)
	}
	if err != nil {
		return goneIfNoNode(err)
	}
	p.revoked = string(data) == Revocation
	return p.verify(stat)
}

func (p *Place) verify(stat zk.Stat) error {
	if stat.EphemeralOwner != p.s.ID() || p.stat.Czxid != 0 && stat.Czxid != p.stat.Czxid {
		return ErrGone // another's znode under our name
	}
	p.stat = stat
	return nil
}
