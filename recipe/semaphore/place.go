package semaphore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// place is the znodes of one permit: one for each of those that it counts for. It belongs to one
// goroutine, which calls Step whenever Woken has a signal or the time that Step returned is over.
type place struct {
	s     *session.Session
	sem   *Semaphore
	clock clock.Clock
	paths []string
	mine  map[string]bool // the names of these znodes
	stats []zk.Stat
	wake  chan struct{}

	own      []*session.Watch
	holds    []*session.Hold
	leases   leases // by which the permit is held
	admitted bool
	took     string // the znode that was taken over from last
	impaired error

	// What is known of older permits, those of others.
	youngest line.Name      // of our own
	at       clock.Instant  // when the list arrived that contained our own
	listed   []line.Name    // those that were in it, with our own
	older    []line.Name    // those of them that are not known to be gone
	gone     []departure    // those of them that are
	list     *session.Watch // on the list
	data     *session.Watch // on the record
	record   record         // as it was read last
	version  int32          // of that
	asked    clock.Instant  // when that was
	looked   clock.Instant  // when the list was read last
	taught   bool           // it knows of some that are over and are not in the record
	hearing  hearing
	taking   taking
}

// Path returns the first of the own znodes, which stands for all.
func (p *place) Path() string { return p.paths[0] }

// Woken has a signal when there is something to find out.
func (p *place) Woken() <-chan struct{} { return p.wake }

// newPlace keeps the znodes at paths, which exist, and finds out who is older. waits says that the
// permit will most likely have to wait. newPlace returns a place also when it returns an error.
func (s *Semaphore) newPlace(ctx context.Context, at *session.Session, paths []string, waits bool) (*place, error) {
	p := s.keep(at, paths)
	return p, p.find(ctx, waits)
}

// keep keeps the znodes at paths, which exist: the session beats for them from now on.
func (s *Semaphore) keep(at *session.Session, paths []string) *place {
	wake := make(chan struct{}, 1)
	p := &place{
		s: at, sem: s, clock: s.clock, paths: paths, mine: map[string]bool{}, stats: make([]zk.Stat, len(paths)), wake: wake,
		list: at.Watch(s.leases, wake), data: at.Watch(s.leases, wake),
		hearing: newHearing(), taking: taking{vacant: map[string]clock.Instant{}},
	}
	for _, path := range paths {
		p.mine[path[len(s.leases)+1:]] = true
		own := at.Watch(path, wake)
		p.own = append(p.own, own)
		p.holds = append(p.holds, at.Hold(own, wake)) // the beat need not wait for what is asked next
	}
	return p
}

// find reads the own znodes, then the list, then the record. So if a permit has announced its end
// and is not in the list, the record tells of it.
func (p *place) find(ctx context.Context, waits bool) error {
	if err := p.check(ctx); err != nil {
		return err
	}
	read := func(ctx context.Context) ([]string, zk.Stat, error) { return p.s.Children(ctx, p.sem.leases) }
	if waits {
		read = p.list.Children
	}
	children, _, err := read(ctx)
	if err != nil {
		return goneIfNoNode(err)
	}
	names, err := line.Order(ctx, p.s, p.sem.leases, children)
	if err != nil {
		return err
	}
	last := -1
	for i, n := range names {
		if p.isOwn(n) {
			if line.Twin(n.Full, names) {
				return line.ErrTwin
			}
			last = i
		}
	}
	if last < 0 {
		return line.ErrGone // the creates came before this list, in one session
	}
	p.youngest, p.listed, p.at = names[last], slices.Clone(names[:last+1]), p.clock.Now()
	p.looked = p.at
	p.older = slices.DeleteFunc(slices.Clone(p.listed), p.isOwn)
	if err := p.ask(ctx, waits); err != nil {
		return err
	}
	p.taught = p.missing() > 0
	if p.interleaved() && p.blocked() {
		return errInterleaved
	}
	return nil
}

func (p *place) isOwn(n line.Name) bool { return p.mine[n.Full] }

// errInterleaved: a permit that was asked for several at once has found another's znode between its
// own. Two such permits would wait for each other.
var errInterleaved = errors.New("semaphore: another permit came between those that were asked for at once")

func (p *place) interleaved() bool {
	first := slices.IndexFunc(p.listed, p.isOwn)
	return len(p.listed)-first > len(p.paths)
}

// check finds out whether the own znodes are still there, and watches them.
func (p *place) check(ctx context.Context) error {
	for _, h := range p.holds {
		if err := h.Err(); err != nil { // if the znode is there, it has to be deleted
			return goneIfNoNode(err)
		}
	}
	var unarmed []int
	for i, own := range p.own {
		if own.Deleted() {
			return line.ErrGone
		}
		if !own.Armed() {
			unarmed = append(unarmed, i)
		}
	}
	return atOnce(len(unarmed), func(i int) error { return p.checkOne(ctx, unarmed[i]) })
}

// checkOne reads one of the own znodes, and watches it.
func (p *place) checkOne(ctx context.Context, i int) error {
	_, stat, err := p.own[i].Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoAuth):
		return fmt.Errorf("the ACL of our own znode must allow us READ: %w", err)
	case err != nil:
		return goneIfNoNode(err)
	case stat.EphemeralOwner != p.s.ID() || p.stats[i].Czxid != 0 && p.stats[i].Czxid != stat.Czxid:
		return line.ErrGone // another's znode under our name
	}
	p.stats[i] = stat
	return nil
}

func goneIfNoNode(err error) error {
	if errors.Is(err, zk.ErrNoNode) {
		return line.ErrGone
	}
	return err
}

// Step finds out what has happened, and does what is due. need is how long a lease must run at
// least to be of use. The error is [line.ErrGone], a SizeError, or that of a request.
func (p *place) Step(ctx context.Context, need time.Duration) (line.Standing, error) {
	p.took = ""
	for {
		select {
		case <-p.wake: // what it tells is found out now
		default:
		}
		if err := p.check(ctx); err != nil {
			return line.Standing{}, err
		}
		if err := p.hear(ctx); err != nil {
			return line.Standing{}, err
		}
		now := p.clock.Now()
		st := p.standing(need, now)
		do := decide(st, now)
		var err error
		switch do.action {
		case actAdmit:
			if p.leases = p.running(); len(p.leases) == len(p.holds) { // else one has just lapsed
				return p.report(st, do, now, p.leases[0]), nil
			}
		case actRefuse:
			return line.Standing{}, &SizeError{Path: p.sem.path, Size: st.size, Want: st.want, permits: true}
		case actAsk:
			err = p.ask(ctx, true)
		case actSlot:
			err = p.takeSlots(ctx)
		case actTakeOver:
			err = p.takeOver(ctx, p.hearing.heard[do.beat])
		default:
			if do.action == actRenew {
				for _, h := range p.holds {
					h.Renew()
				}
			}
			busy := false
			if busy, err = p.attend(ctx, now); !busy && err == nil {
				return p.report(st, do, now, nil), nil
			}
		}
		if err != nil {
			return line.Standing{}, err
		}
	}
}

// standing returns what the decision depends on.
func (p *place) standing(need time.Duration, now clock.Instant) standing {
	st := standing{
		size: p.record.size, want: len(p.paths), older: len(p.older), gone: p.gone, admitted: p.admitted,
		fresh: p.data.Armed() || now.Sub(p.asked) < p.s.LeaseTime(),
		armed: true, leased: true, slotted: !p.sem.cfg.Slots || p.taking.slots != nil, slotFree: p.taking.free,
	}
	if n := p.missing(); n > 0 {
		over := p.at.Add(session.Outlast(p.record.lease))
		st.gone = append(slices.Clone(p.gone), departure{line.NoNumber, n, over, true})
	}
	for _, own := range p.own {
		st.armed = st.armed && own.Armed() && !own.Deleted()
	}
	for _, h := range p.holds {
		l := h.Lease()
		st.leased = st.leased && l != nil && l.Remaining() > need
	}
	st.beats = p.heartbeats()
	return st
}

// missing returns how many older permits may have vanished before the list was made. Their numbers
// are neither listed nor over.
func (p *place) missing() int64 {
	own := p.number()
	if !p.record.Tell(own) {
		return math.MaxInt32
	}
	return p.record.Missing(own, p.listed)
}

// number is that of the youngest of our own znodes.
func (p *place) number() int64 { return line.NumberOf(p.youngest) }

// blocked reports whether older permits still block this one.
func (p *place) blocked() bool {
	now := p.clock.Now()
	taken, _, _ := p.standing(0, now).taken(now)
	return taken+int64(len(p.paths)) > int64(p.record.size)
}

// running returns the leases of the holds, of those that have one.
func (p *place) running() (all leases) {
	for _, h := range p.holds {
		if l := h.Lease(); l != nil {
			all = append(all, l)
		}
	}
	return all
}

func (p *place) report(st standing, do decision, now clock.Instant, lease *session.Lease) line.Standing {
	taken, next, _ := st.taken(now)
	r := line.Standing{Lease: lease, TookOver: p.took, Impaired: p.impaired, Next: min(do.wait, p.s.Timeout()/4)}
	if begin := p.at.Add(p.s.LeaseTime() / listenAfter); !p.admitted && !begin.Passed(now) {
		r.Next = min(r.Next, begin.Until(now)) // it begins to listen
	}
	if turn := p.hearing.until; !p.admitted && !turn.Reached(now) {
		r.Next = min(r.Next, max(turn.Until(now), time.Millisecond)) // it listens to others
	}
	if over := taken + int64(st.want) - int64(st.size); !p.admitted && over > 0 {
		r.Position = int(min(over, int64(st.size)))
		if i := slices.IndexFunc(p.older, func(n line.Name) bool { return p.hearing.persistent[n.Full] }); i >= 0 {
			r.Persistent, r.Ahead = true, p.older[i].Full
		} else if i := slices.IndexFunc(p.older, func(n line.Name) bool { return p.hearing.hidden[n.Full] }); i >= 0 {
			r.Hidden, r.Ahead = true, p.older[i].Full
		}
		if st.older+st.want <= st.size {
			r.Waits = next
		}
	} else if !p.admitted && p.taking.waits() {
		r.Position, r.Waits = 1, p.taking.lease(now) // only the holder of the slot
	}
	return r
}

// Drop forgets the place of a session that is over, or of znodes that are gone.
func (p *place) Drop() {
	for _, own := range p.own {
		own.Stop()
	}
	for _, h := range p.holds {
		h.Release()
	}
	p.stopWaiting()
}

// stopWaiting ends what only a waiting permit needs.
func (p *place) stopWaiting() {
	p.list.Stop()
	p.data.Stop()
	p.hearing.stop()
}

// leases are those of all znodes of a permit: it is held while all of them run.
type leases []*session.Lease

func (l leases) Valid() bool { return l.Remaining() > 0 }

func (l leases) Remaining() time.Duration {
	rest := never
	for _, one := range l {
		rest = min(rest, one.Remaining())
	}
	return rest
}

func (l leases) Deadline() time.Time {
	first := l[0].Deadline()
	for _, one := range l[1:] {
		if d := one.Deadline(); d.Before(first) {
			first = d
		}
	}
	return first
}

// checks are the operations that fail if an own znode is gone.
func (p *place) checks() (ops []any) {
	for _, path := range p.paths {
		ops = append(ops, &zk.CheckVersionRequest{Path: path, Version: -1})
	}
	return ops
}

// failed returns which operation of a multi failed.
func failed(results []zk.MultiResponse) int {
	for i, r := range results {
		if r.Error != nil {
			return i
		}
	}
	return len(results)
}
