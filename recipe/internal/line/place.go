package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// ErrGone: somebody else deleted the own znode, or it ended with the session.
var ErrGone = errors.New("own znode is gone")

// ErrTwin says that another znode has the same number as our own, so somebody must have copied it
// here. The next number may be free.
var ErrTwin = errors.New("another znode in the line has our number: it was not created here, and has to be deleted")

// Revocation is the data that asks a holder to release the lock. Curator's Revoker writes it into
// the holder's znode.
const Revocation = "__REVOKE__"

// Config describes a place in a line: where the line is, and what the place's znode is like.
type Config struct {
	// Dir is the path under which the line stands.
	Dir string
	// Style begins the names of our znodes.
	Style Style
	// Data is what our znode holds.
	Data []byte
	// ACL of our znode, and of Dir if it has to be created; nil means the session's.
	ACL []zk.ACL
	// Clock tells the time.
	Clock clock.Clock
	// Busy: many places come and go, and some give up. A holder that leaves keeps what others have
	// written into the record meanwhile. For that it may have to read the record once more.
	Busy bool
	// Memory, if set, is what earlier places have learned of the record. Then later places need not
	// read it.
	Memory *Memory
	// Cleanup: a holder that leaves an empty line deletes the path with it.
	Cleanup bool
}

// Place is a place in the line. It belongs to one goroutine, which calls Step whenever Woken has a
// signal or the time that Step returned is over.
type Place struct {
	s    *session.Session
	cfg  Config
	dir  string
	path string // own znode
	stat zk.Stat

	token  int64
	shared bool    // a reader's
	beside []int64 // for a reader: the numbers of those that were seen ahead
	wake   chan struct{}

	own     *session.Watch
	hold    *session.Hold // kept in the first two places
	led     bool
	record  record
	version int32 // of the record, as far as is known
	born    int64 // czxid of the path when it was listed
	ours    bool  // the path holds a record
	revoked bool  // somebody asks the holder to release the lock
	alone   bool  // the line was empty when it joined

	ahead []Name // who may still be ahead that this place waits for, first to last
	// What is known of the nearest, the last of ahead.
	nearest    *session.Watch // nil when nobody is ahead
	listener   *session.Listener
	owner      int64 // its session; 0 if it is not known
	hidden     bool  // we have no permission to read it, so it has to be polled
	persistent bool  // it is not ephemeral, so it stays after the end of its session
	refused    bool  // we are not permitted to take over from it

	before     *session.Watch // see watchedBefore
	beforeName string

	departures []departure // that nobody has announced
	took       string      // the znode that was taken over from last
	impaired   error
	chores     chores
}

// Standing is how a place stands.
type Standing struct {
	// Position is how many may still be ahead: 0 is the first. Those in the middle may have gone
	// without our knowledge.
	Position int
	// Ahead is the name of the nearest one ahead, "" if there is none.
	Ahead string
	// Hidden: we have no permission to read the one ahead, so it can only be polled. Persistent: it
	// does not end with a session.
	Hidden, Persistent bool
	// Lease is not nil when the place is first and nobody else can hold it. Before that the place
	// must not be used.
	Lease *session.Lease
	// Waits is how long a departure that was not announced keeps this place from being held.
	Waits time.Duration
	// Revoked: somebody has written [Revocation] into the own znode.
	Revoked bool
	// TookOver is the name of the znode that was deleted because its session was silent.
	TookOver string
	// Impaired is why a change of holder may take longer than it has to.
	Impaired error
	// Next is the time after which to call Step again.
	Next time.Duration
}

// Path returns the own znode.
func (p *Place) Path() string { return p.path }

// Name returns the own znode's name in the line.
func (p *Place) Name() string { return p.path[len(p.dir)+1:] }

// Token returns the own znode's czxid: larger than that of every znode created before. A writer
// that has become a reader keeps its token: those who wait behind have larger ones.
func (p *Place) Token() int64 { return p.token }

// Position returns how many may still be ahead.
func (p *Place) Position() int { return len(p.ahead) }

// Woken has a signal when there is something to find out.
func (p *Place) Woken() <-chan struct{} { return p.wake }

// Lead says that the caller uses the place, by the lease that Step has returned. The beat of that
// lease has checked the own znode, so the next question about it can wait: many hold a place only
// for a moment.
func (p *Place) Lead() {
	watched, _ := p.chores.every(p)
	p.led, p.chores.watched = true, early(p.cfg.Clock.Now(), p.cfg.Clock.Random(), watched)
}

// Step finds out what has happened, and does what is due: it moves up in the line as those ahead
// go, takes over from the one ahead when its lease is over, and asks again for what watches should
// have told. It makes no request when all that it needs was in the events. need is how long a lease
// must run at least to be of use. The error is [ErrGone], or that of a request.
func (p *Place) Step(ctx context.Context, need time.Duration) (Standing, error) {
	p.took = ""
	for {
		select {
		case <-p.wake: // what it tells is found out now
		default:
		}
		if err := p.check(ctx); err != nil {
			return Standing{}, err
		}
		p.attend()
		now := p.cfg.Clock.Now()
		stands := p.standing(need)
		act, wait := decide(stands, now)
		var err error
		switch act {
		case actLead:
			return p.report(p.hold.Lease(), 0, p.chores.next(p, now)), nil
		case actAsk:
			err = p.askRecord(ctx)
		case actList:
			err = p.listAgain(ctx)
		case actTakeOver:
			err = p.takeOver(ctx, stands.nearest)
		default:
			if act == actRenew {
				p.hold.Renew()
			}
			next := p.chores.next(p, now)
			if next > 0 {
				return p.report(nil, wait, min(wait, next)), nil
			}
			err = p.chores.do(ctx, p)
		}
		if err != nil {
			return Standing{}, err
		}
	}
}

// standing returns what the decision depends on.
func (p *Place) standing(need time.Duration) standing {
	st := standing{
		ahead: len(p.ahead), depth: depth(p.ahead), led: p.led, departures: p.departures, refused: p.refused,
		armed: (p.own.Armed() || p.unread()) && !p.own.Deleted(),
	}
	l := p.hold.Lease()
	st.leased = l != nil && l.Remaining() > need
	if p.listener != nil {
		st.nearest = p.listener.Heartbeat()
	}
	return st
}

func (p *Place) report(lease *session.Lease, wait, next time.Duration) Standing {
	st := Standing{
		Position: len(p.ahead), Hidden: p.hidden, Persistent: p.persistent,
		Lease: lease, Revoked: p.revoked, TookOver: p.took, Impaired: p.impaired, Next: next,
	}
	if len(p.ahead) > 0 {
		st.Ahead = p.ahead[len(p.ahead)-1].Full
	} else if wait != never {
		st.Waits = wait
	}
	return st
}

// impair notes why changes of holder are slower than they have to be.
func (p *Place) impair(err error) { p.impaired = err }

// attend lets the session beat for a place that is first or second, and listens to the one ahead of
// a place that is second or third.
func (p *Place) attend() {
	if mayBeHeard(p.ahead, p.shared) {
		p.hold.Keep()
	}
	if p.listener == nil && len(p.ahead) > 0 && depth(p.ahead) <= listenTo &&
		p.owner != 0 && p.owner != p.s.ID() && Ours(p.ahead[len(p.ahead)-1].Full) {
		p.listener = p.s.Listen(p.owner, p.wake)
	}
	if p.listener != nil {
		if heard := p.listener.Heartbeat(); heard.Err != nil && p.impaired == nil {
			p.impair(fmt.Errorf("the heartbeat %s of the candidate ahead cannot be read, so that its session has to expire first: %w", heard.Path, heard.Err))
		}
	}
}

// check moves up in the line as those ahead go, and re-reads what is no longer watched.
func (p *Place) check(ctx context.Context) error {
	if p.own.Deleted() {
		return ErrGone
	}
	switch err := p.hold.Err(); {
	case errors.Is(err, zk.ErrNoNode):
		return ErrGone
	case err != nil: // it is there, and has to be deleted
		return err
	}
	if !p.own.Armed() && !p.unread() {
		if err := p.checkOwn(ctx); err != nil {
			return err
		}
	}
	for asked := false; len(p.ahead) > 0; asked = true {
		there, err := p.checkNearest(ctx)
		if err != nil || there {
			return err
		}
		if p.noticed() {
			return nil
		}
		p.departed()
		if asked || len(p.ahead) == 0 || !p.ours {
			continue
		}
		if err := p.skip(ctx); err != nil {
			return err
		}
	}
	return nil
}

// checkNearest reports whether the one ahead is still there, and watches it if it is not watched.
func (p *Place) checkNearest(ctx context.Context) (there bool, err error) {
	if p.nearest == nil {
		p.nearest = p.s.Watch(p.dir+"/"+p.ahead[len(p.ahead)-1].Full, p.wake)
	}
	p.awaitNotice()
	switch {
	case p.nearest.Deleted():
		return false, nil
	case p.nearest.Armed():
		return true, nil
	case p.hidden:
		return true, nil // a chore polls it
	}
	_, stat, err := p.nearest.Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return false, nil
	case errors.Is(err, zk.ErrNoAuth):
		p.hidden = true
		return true, nil
	case err != nil:
		return false, err
	}
	p.owner, p.persistent = stat.EphemeralOwner, stat.EphemeralOwner == 0
	return true, nil
}

// departed forgets the nearest one, which has gone. If it is of ours and has not announced its
// departure, it may count itself the holder for the rest of its lease. Candidates of other
// libraries have no lease to wait for.
func (p *Place) departed() {
	lease := p.record.lease
	if p.listener != nil {
		if heard := p.listener.Heartbeat().LeaseTime; heard > 0 {
			lease = heard
		}
	}
	p.gone(p.ahead[len(p.ahead)-1], lease)
	p.step()
}

// awaitNotice asks the server to tell if the one ahead has led and announces its departure. If
// holders seldom change, a place far behind does not ask, and reads the record when it has to know.
func (p *Place) awaitNotice() {
	if n := p.ahead[len(p.ahead)-1]; Ours(n.Full) && !n.Shared && (p.cfg.Busy || depth(p.ahead) <= listenTo) {
		p.nearest.AwaitNotice()
	}
}

// noticed reports whether the one ahead has led and announced its departure. Then all before it are
// settled, too, and nothing has to be read. Each of ours among them has written the record once, if
// it left as it should. The version that follows from this is the first one that this place tries
// when it writes the record.
func (p *Place) noticed() bool {
	n := number(p.ahead[len(p.ahead)-1])
	if n == noNumber || !p.nearest.Noticed() {
		return false
	}
	p.record = p.record.settle(n)
	for _, name := range p.ahead {
		if Ours(name.Full) {
			p.version++
		}
	}
	var doubtful []departure
	for _, d := range p.departures {
		if !p.record.Over(d.number) {
			d.asked = false // the record may tell by now
			doubtful = append(doubtful, d)
		}
	}
	p.departures, p.ahead = doubtful, nil
	if !p.cfg.Busy { // it does not read the record when it leaves
		p.chores.keepSoon(p)
	}
	p.stopNearest()
	p.attend()
	return true
}

// gone notes a departure, and forgets those that are over. A writer of another library has no lease
// to wait for, but it may have become a reader.
func (p *Place) gone(name Name, lease time.Duration) {
	now := p.cfg.Clock.Now()
	p.departures = slices.DeleteFunc(p.departures, func(d departure) bool { return !d.list && d.over.Reached(now) })
	switch {
	case Ours(name.Full):
		p.departures = append(p.departures, departure{number: number(name), over: now.Add(session.Outlast(lease)), list: name.downgrades})
	case name.downgrades:
		p.departures = append(p.departures, departure{number: number(name), over: now, foreign: true, asked: true, list: true})
	}
}

// listAgain lists the line when nobody is known to be ahead, because a writer that was may be there
// still, as a reader. Nobody else can have got ahead meanwhile. If the reader is not there, it may
// have been there a moment ago, and its lease may run still. It may also have announced its
// departure since the record was read.
func (p *Place) listAgain(ctx context.Context) error {
	names, err := List(ctx, p.s, p.dir)
	if err != nil {
		return err
	}
	ahead, ok := Ahead(p.Name(), names)
	if !ok {
		return ErrGone
	}
	over := p.cfg.Clock.Now().Add(session.Outlast(p.record.lease))
	there := readers(ahead)
	var left []departure
	for _, d := range p.departures {
		if _, reads := slices.BinarySearch(there, d.number); d.list && reads {
			continue
		}
		if d.list && !d.foreign {
			d.over, d.asked = over, false
		}
		d.list = false
		left = append(left, d)
	}
	p.departures, p.ahead = left, conflicting(ahead, p.shared)
	p.beside = append(p.beside, there...)
	slices.Sort(p.beside)
	return nil
}

// step forgets the nearest one.
func (p *Place) step() {
	p.ahead = p.ahead[:len(p.ahead)-1]
	p.stopNearest()
	p.attend() // a beat need not wait for what is asked next
}

func (p *Place) stopNearest() {
	if p.nearest != nil {
		p.nearest.Stop()
	}
	if p.listener != nil {
		p.listener.Stop()
	}
	p.nearest, p.listener, p.owner, p.hidden, p.persistent, p.refused = nil, nil, 0, false, false, false
}

// Drop forgets the place of a session that is over, or of a znode that is gone.
func (p *Place) Drop() {
	p.own.Stop()
	if p.before != nil {
		p.before.Stop()
	}
	p.stopNearest()
	if p.hold != nil {
		p.hold.Release()
	}
}
