// Package line is the queue that every recipe stands in: an own ephemeral
// sequential znode, the znodes ahead of it, and a watch on the nearest of them.
//
// The line is listed once, when joining, after the own create. From then on nobody
// new can get ahead, so the set of those ahead only shrinks, and the kept list of
// them is as good as a new one: when the nearest goes, the next in the kept list is
// watched, and when the list is empty we are first, without asking anybody.
package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// ErrGone: the own znode was deleted by somebody else, or the session's end took it.
var ErrGone = errors.New("own znode is gone")

// Config says where and as what to stand in line.
type Config struct {
	// Dir is the path under which the line stands.
	Dir string
	// Style begins the names of our znodes.
	Style Style
	// Data is what our znode holds.
	Data []byte
	// ACL of our znode; nil means the session's.
	ACL []zk.ACL
}

// Place is a place in the line. It belongs to one goroutine.
type Place struct {
	s    *session.Session
	dir  string
	path string // own znode
	stat zk.Stat
	wake chan<- struct{}

	own   *session.Watch
	ahead []Name // who may still be ahead, first to last
	// nearest watches the last of ahead. It is nil when nobody is ahead.
	nearest *session.Watch
	// hidden: the nearest must not be read by us, so that it cannot be watched either
	// and has to be polled.
	hidden bool
	// persistent: the nearest is not ephemeral, so no session's end will remove it.
	persistent bool
	rechecks   int // counts calls of Recheck
}

// Join creates the own znode and finds its place. The wake channel gets a signal
// whenever Check has something to find out. When Join fails, no znode is left behind.
func Join(ctx context.Context, s *session.Session, cfg Config, wake chan<- struct{}) (*Place, error) {
	path, err := s.CreateProtected(ctx, cfg.Dir, string(cfg.Style), cfg.Data, cfg.ACL)
	if err != nil {
		return nil, err
	}
	p := &Place{s: s, dir: cfg.Dir, path: path, wake: wake, own: s.Watch(path, wake)}
	if err := p.find(ctx); err != nil {
		p.Abandon()
		return nil, err
	}
	return p, nil
}

// find reads the own znode and lists the line.
func (p *Place) find(ctx context.Context) error {
	if err := p.checkOwn(ctx); err != nil {
		return err
	}
	for {
		names, err := read(ctx, p.s, p.dir)
		if err != nil {
			return err
		}
		ahead, ok := Ahead(p.Name(), names)
		if ok {
			p.ahead = ahead
			return nil
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
// It needs READ on it: without, neither renewals nor watches work.
func (p *Place) checkOwn(ctx context.Context) error {
	_, stat, err := p.own.Get(ctx)
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("the ACL of our own znode must allow us READ: %w", err)
	}
	if err != nil {
		return goneIfNoNode(err)
	}
	return p.verify(stat)
}

func (p *Place) verify(stat zk.Stat) error {
	if stat.EphemeralOwner != p.s.ID() || p.stat.Czxid != 0 && stat.Czxid != p.stat.Czxid {
		return ErrGone // another's znode under our name
	}
	p.stat = stat
	return nil
}

// Path returns the own znode.
func (p *Place) Path() string { return p.path }

// Name returns the own znode's name in the line.
func (p *Place) Name() string { return p.path[len(p.dir)+1:] }

// Token returns the own znode's czxid: larger than that of every znode created before.
func (p *Place) Token() int64 { return p.stat.Czxid }

// Position returns how many may still be ahead: 0 is the first. Those in the middle
// may have gone without our knowledge; 0 and 1 are exact.
func (p *Place) Position() int { return len(p.ahead) }

// Nearest returns the name of the one ahead, "" if there is none, and whether it is
// persistent, so that no session's end will remove it.
func (p *Place) Nearest() (name string, persistent bool) {
	if len(p.ahead) == 0 {
		return "", false
	}
	return p.ahead[len(p.ahead)-1].Full, p.persistent
}

// Hidden reports whether the one ahead is hidden from us by its ACL, so that it can
// only be polled.
func (p *Place) Hidden() bool { return p.hidden }

// Armed reports whether the server will tell of the own znode's deletion on the present
// connection, before anything that comes after it. Without that, the deletion of the
// one ahead does not yet mean that we are first: our own may be gone as well.
func (p *Place) Armed() bool { return p.own.Armed() && !p.own.Deleted() }

// Check finds out what a wake-up was about: it moves up in the line as those ahead
// go, and re-reads what is no longer watched. It makes no request when everything it
// needs was in the events. The error is [ErrGone], or that of a read.
func (p *Place) Check(ctx context.Context) error {
	if p.own.Deleted() {
		return ErrGone
	}
	if !p.own.Armed() {
		if err := p.checkOwn(ctx); err != nil {
			return err
		}
	}
	for len(p.ahead) > 0 {
		there, err := p.checkNearest(ctx)
		if err != nil || there {
			return err
		}
		p.step()
	}
	return nil
}

// checkNearest reports whether the one ahead is still there, and watches it if it is
// not watched.
func (p *Place) checkNearest(ctx context.Context) (there bool, err error) {
	if p.nearest == nil {
		p.nearest = p.s.Watch(p.dir+"/"+p.ahead[len(p.ahead)-1].Full, p.wake)
	}
	switch {
	case p.nearest.Deleted():
		return false, nil
	case p.nearest.Armed():
		return true, nil
	case p.hidden:
		return true, nil // Recheck polls it
	}
	_, stat, err := p.nearest.Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return false, nil
	case errors.Is(err, zk.ErrNoAuth):
		p.hidden = true
		return true, nil
	}
	p.persistent = err == nil && stat.EphemeralOwner == 0
	return true, err
}

// step forgets the nearest one, who has gone.
func (p *Place) step() {
	p.ahead = p.ahead[:len(p.ahead)-1]
	p.stopNearest()
}

func (p *Place) stopNearest() {
	if p.nearest != nil {
		p.nearest.Stop()
	}
	p.nearest, p.hidden, p.persistent = nil, false, false
}

// RecheckEvery returns how often Recheck is to be called: often where one may have
// become the heir without being told, and where there is no watch.
func (p *Place) RecheckEvery() time.Duration {
	if len(p.ahead) == 2 || p.hidden {
		return p.s.Timeout() / 4
	}
	return p.s.Timeout()
}

// Recheck asks about what watches may have failed to tell: the own znode, the nearest
// ahead, the one before it, and the first of the line, so that the kept list follows
// the line at both ends. Small reads; no list. In the third place, three calls of four
// ask only whether the first is still there, of whom no watch tells.
func (p *Place) Recheck(ctx context.Context) error {
	p.rechecks++
	if len(p.ahead) != 2 || p.hidden || p.rechecks%4 == 0 {
		if err := p.recheckWatched(ctx); err != nil {
			return err
		}
	}
	for len(p.ahead) > 1 { // the one before it
		i := len(p.ahead) - 2
		there, err := p.exists(ctx, i)
		if err != nil {
			return err
		}
		if there {
			break
		}
		p.ahead = append(p.ahead[:i], p.ahead[i+1])
	}
	for len(p.ahead) > 2 { // the first
		there, err := p.exists(ctx, 0)
		if err != nil {
			return err
		}
		if there {
			break
		}
		p.ahead = p.ahead[1:]
	}
	return p.Check(ctx)
}

// recheckWatched asks about the znodes on which there should be watches: the own and the
// nearest ahead.
func (p *Place) recheckWatched(ctx context.Context) error {
	stat, ok, err := p.s.Exists(ctx, p.path)
	if err != nil {
		return err
	}
	if !ok {
		return ErrGone
	}
	if err := p.verify(stat); err != nil {
		return err
	}
	for len(p.ahead) > 0 {
		there, err := p.exists(ctx, len(p.ahead)-1)
		if err != nil || there {
			return err
		}
		p.step()
	}
	return nil
}

func (p *Place) exists(ctx context.Context, i int) (bool, error) {
	_, ok, err := p.s.Exists(ctx, p.dir+"/"+p.ahead[i].Full)
	return ok, err
}

// Leave deletes the own znode and does not stop before it is gone, ctx ends, or the
// session is over.
func (p *Place) Leave(ctx context.Context) error {
	p.Drop()
	return p.s.Remove(ctx, p.path)
}

// Abandon is Leave for a caller who does not wait: the znode goes in the background.
func (p *Place) Abandon() {
	p.Drop()
	p.s.Abandon(p.path)
}

// Drop forgets the place of a session that is over, or of a znode that is gone.
func (p *Place) Drop() {
	p.own.Stop()
	p.stopNearest()
}
