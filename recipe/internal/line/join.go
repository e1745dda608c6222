package line

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// Join creates the own znode and finds its place. When it fails, no znode is left behind. If ctx
// ends meanwhile, Join waits for what is under way, for a few seconds at most, and announces its
// departure.
func Join(ctx context.Context, s *session.Session, cfg Config) (*Place, error) {
	through, end := s.SeeThrough(ctx)
	defer end()
	l := newFirstList(s, cfg)
	path, err := create(ctx, through, s, cfg, l)
	if err != nil {
		return nil, err
	}
	p, err := stand(ctx, s, cfg, path, l)
	if err != nil {
		p.withdraw(through)
		return nil, err
	}
	return p, nil
}

// JoinAll is Join for several lines at once. All own znodes are created at one zxid, so that two
// who do this are in the same order in all lines that they share. When it fails, no znode is left
// behind.
func JoinAll(ctx context.Context, s *session.Session, cfgs []Config) ([]*Place, error) {
	lists := make([]*firstList, len(cfgs))
	for i, cfg := range cfgs {
		lists[i] = newFirstList(s, cfg)
	}
	through, end := s.SeeThrough(ctx)
	defer end()
	paths, err := createAll(ctx, through, s, cfgs, lists)
	if err != nil {
		return nil, err
	}
	places, errs := make([]*Place, len(cfgs)), make([]error, len(cfgs))
	var standing sync.WaitGroup
	for i, cfg := range cfgs {
		standing.Go(func() { places[i], errs[i] = stand(ctx, s, cfg, paths[i], lists[i]) })
	}
	standing.Wait()
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if failed < 0 {
		return places, nil
	}
	for _, p := range places {
		standing.Go(func() { p.withdraw(through) })
	}
	standing.Wait()
	return nil, errs[failed]
}

// stand finds the place of an own znode that was created. It returns a place also when it returns
// an error.
func stand(ctx context.Context, s *session.Session, cfg Config, path string, l *firstList) (*Place, error) {
	wake := make(chan struct{}, 1)
	p := &Place{s: s, cfg: cfg, dir: cfg.Dir, path: path, shared: cfg.Style.shared(), wake: wake, own: s.Watch(path, wake)}
	p.hold = s.Reserve(p.own, wake)
	if czxid := p.hold.Czxid(); czxid != 0 && l.follows {
		p.token, p.stat.Czxid = czxid, czxid
		p.chores.own = cfg.Clock.Now().Add(s.LeaseTime() / readWithin)
	}
	err := p.find(ctx, l)
	if err == nil {
		p.chores.begin(p, cfg.Clock)
	}
	return p, err
}

// readWithin is the part of a lease after which a place reads its own znode and leaves a watch
// there. It need not do that at once under two conditions. A beat has created the znode, which
// tells the czxid. And the caller has stood in this line within the last lease: the first of its
// places there has read its znode, so the permission is there. A place that leaves earlier needs no
// read. Until the read, it is not told if somebody deletes its znode. No promise depends on that,
// because others wait for its lease.
const readWithin = 16

// ensure makes the path with the line's record. The record allows the lease that was asked for:
// others may have got that lease, even if this session's server has granted a shorter one.
func ensure(ctx context.Context, s *session.Session, cfg Config) error {
	first := record{lease: s.LeaseAsked()}
	return s.EnsureNode(ctx, cfg.Dir, []byte(first.String()), cfg.ACL)
}

// find reads the own znode and lists the line, both at once.
func (p *Place) find(ctx context.Context, l *firstList) error {
	checked := make(chan error, 1)
	if p.unread() {
		checked <- nil
	} else {
		go func() { checked <- p.checkOwn(ctx) }()
	}
	r, err := l.created(ctx)
	if failed := <-checked; failed != nil {
		return failed
	}
	if _, ok := Ahead(p.Name(), r.names); err != nil || !ok { // it was asked for too early
		r, err = read(ctx, p.cfg.Clock, p.s, p.dir, l.record)
	}
	for {
		if err != nil {
			return err
		}
		ahead, ok := Ahead(p.Name(), r.names)
		if ok && Twin(p.Name(), r.names) {
			return ErrTwin
		}
		if ok {
			p.ahead, p.alone = conflicting(ahead, p.shared), len(r.names) == 1
			if p.shared {
				p.beside = readers(ahead)
			}
			return p.enter(ctx, r, l.record)
		}
		// The own create came before this list, in one session: it can only be missing because it
		// has been deleted.
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
		r, err = read(ctx, p.cfg.Clock, p.s, p.dir, l.record)
	}
}

// enter notes the line's record. A number that is neither listed nor over may belong to a holder
// that vanished just before: its lease may still run.
func (p *Place) enter(ctx context.Context, r reading, read bool) error {
	own, asked := p.number(), true
	p.born = r.stat.Czxid
	known, current, ok := p.cfg.Memory.recall(p.s, r.stat, p.cfg.Clock.Now())
	ok = ok && known.Tell(own)
	p.cfg.Memory.fellBehind(ok && !current && len(p.ahead) == 0)
	if ok && !read {
		p.record, p.ours = known, true
		if err := p.admit(); err != nil {
			return err
		}
		// A place with others ahead is mostly told by the departure of the one before it.
		missing, few := known.missing(own, r.names)
		if asked = current || len(missing) == 0 && few; !asked && (!few || len(p.ahead) == 0) {
			if err := p.refresh(ctx); err != nil {
				return err
			}
			asked = true
		}
	} else if err := p.enterRecord(ctx, r, read); err != nil {
		return err
	}
	if !read || len(r.record) > 0 { // else it has just been written
		p.version = r.stat.Version // from here on, each one ahead writes it once, when it leaves
	}
	over := r.at.Add(session.Outlast(p.record.lease))
	missing, few := p.record.missing(own, r.names)
	if !p.ours || !few {
		missing = []int64{noNumber}
	}
	for _, n := range missing { // each by itself: what others write later may settle it
		p.departures = append(p.departures, departure{number: n, over: over, asked: asked})
	}
	return nil
}

// enterRecord takes the record that was read with the list, or reads it. A record that is older
// than the list perhaps does not tell of all who have left.
func (p *Place) enterRecord(ctx context.Context, r reading, read bool) error {
	data, stat := r.record, r.held
	if !read || stat.Mzxid < r.stat.Mzxid {
		var err error
		if data, stat, err = p.s.Get(ctx, p.dir); err != nil {
			return goneIfNoNode(err)
		}
	}
	return p.take(ctx, data, stat)
}

// noNumber stands for a number that tells nothing: the server has none left.
const noNumber = math.MaxInt64

func number(n Name) int64 {
	if n.Seq < 0 || n.Seq == math.MaxInt32 {
		return noNumber
	}
	return int64(n.Seq)
}

// number returns the own number in the line.
func (p *Place) number() int64 {
	n, _ := Parse(p.Name())
	return number(n)
}

// Order picks out the names that stand in the line and puts them in order, first to last. Age and
// number are the same order, as long as the server has numbers left; after that Order asks for
// everybody's age, and leaves out those who have gone. Newer servers do not tell the age of a znode
// without READ on it. Such a znode may be ahead, so it counts as the oldest of its number. If the
// server had no number left for it, it counts as older than all others without a number. Two
// candidates that hide from each other there may wait for each other, until the session of one
// ends.
func Order(ctx context.Context, s *session.Session, dir string, children []string) ([]Name, error) {
	names, err := order(ctx, s, dir, children)
	return slices.DeleteFunc(names, func(n Name) bool { return n.gone }), err
}

// order is Order for one who takes a place. It keeps writers that have gone since they were listed,
// because each may be a reader by now. They count as the first of all, because nobody can tell
// their age. For the others that have gone, a place waits as for any number that is missing.
func order(ctx context.Context, s *session.Session, dir string, children []string) ([]Name, error) {
	names := Sort(children)
	if !Ambiguous(names) {
		return names, nil
	}
	var gone, hidden, known []Name
	for _, n := range names {
		stat, ok, err := s.Exists(ctx, dir+"/"+n.Full)
		switch {
		case errors.Is(err, zk.ErrNoAuth) && number(n) == noNumber:
			hidden = append(hidden, n)
			continue
		case errors.Is(err, zk.ErrNoAuth):
			n.Czxid = oldest
		case err != nil:
			return nil, err
		case !ok:
			if n.downgrades && number(n) != noNumber {
				n.gone = true
				gone = append(gone, n)
			}
			continue
		default:
			n.Czxid = stat.Czxid
		}
		known = append(known, n)
	}
	slices.SortFunc(known, Compare)
	first := slices.IndexFunc(known, func(n Name) bool { return number(n) == noNumber })
	if first < 0 {
		first = len(known)
	}
	return append(gone, slices.Insert(known, first, hidden...)...), nil
}

// oldest is a czxid before that of every znode in a line: the path itself was created before them.
const oldest = 1

func goneIfNoNode(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return ErrGone
	}
	return err
}

// checkOwn reads the own znode, which leaves a watch, and makes sure that it is ours. It needs READ
// on it: without, neither checks nor watches work.
func (p *Place) checkOwn(ctx context.Context) error {
	data, stat, err := p.own.Get(ctx)
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("the ACL of our own znode must allow us READ: %w", err)
	}
	if err != nil {
		return goneIfNoNode(err)
	}
	p.revoked, p.chores.own = string(data) == Revocation, clock.Instant{}
	return p.verify(stat)
}

// unread reports whether the own znode has not been read yet. Then a chore reads it later.
func (p *Place) unread() bool { return !p.chores.own.IsZero() }

func (p *Place) verify(stat zk.Stat) error {
	if stat.EphemeralOwner != p.s.ID() || p.stat.Czxid != 0 && stat.Czxid != p.stat.Czxid {
		return ErrGone // another's znode under our name
	}
	p.stat = stat
	if p.token == 0 {
		p.token = stat.Czxid
	}
	return nil
}
