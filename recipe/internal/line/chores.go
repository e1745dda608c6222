package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session"
)

// chores are small reads from time to time. They find what a watch should have told, and what no
// watch tells.
type chores struct {
	own     clock.Instant // when to read the own znode for the first time; zero if that has been done
	watched clock.Instant // when the own znode and the nearest ahead were asked about last
	kept    clock.Instant // when those further ahead were asked about last, or the record was, by the holder
}

// begin spreads the chores of a process that joins a thousand lines at the same time.
func (c *chores) begin(p *Place, clk clock.Clock) {
	watched, kept := c.every(p)
	now, part := clk.Now(), clk.Random()
	c.watched, c.kept = early(now, part, watched), early(now, part, kept)
	if p.cfg.Busy && len(p.ahead) == 0 && len(p.departures) > 0 {
		// A number is missing. Perhaps a writer has become a reader, which uses up a number. Only
		// afterwards can it write into the record that nobody has that number.
		c.keepSoon(p)
	}
}

// early is a time before now by a part of d.
func early(now clock.Instant, part float64, d time.Duration) clock.Instant {
	return now.Add(-time.Duration(part * float64(d)))
}

// keepSoon makes the next kept chore due soon, but not at the moment in which the place begins to
// be held.
func (c *chores) keepSoon(p *Place) {
	_, kept := c.every(p)
	c.kept = p.cfg.Clock.Now().Add(p.s.LeaseTime()/16 - kept)
}

// spread is the part of the time between two chores by which the next one may come early. Otherwise
// chores that were delayed together in a busy moment would stay together.
const spread = 0.25

// askEach is the least time between two chores of one kind in a session, for any number of its
// places. A thousand reads in a second are a small part of what a server answers.
const askEach = time.Millisecond

// keptMost bounds the time between two questions about the znodes that have no watch, in times
// between two beats. It holds for every place in line, and for any number of places of a session.
// All places between the holder and the heir may go, and perhaps the heir does not hear of that. It
// finds out after 3/4 of a lease at most, and then beats. The place behind it may have found out at
// once. It takes the heir for dead if the heir does not beat for 17/16 of a lease.
const keptMost = 3

// every returns the times between two chores of one kind. They are short where a candidate may have
// moved up without hearing of it, and longer in a session with very many places.
func (c *chores) every(p *Place) (watched, kept time.Duration) {
	T := p.s.Timeout()
	least := time.Duration(p.s.Places()) * askEach
	watched = T / 4
	if depth(p.ahead) > listenTo && !p.hidden {
		watched = T
	}
	kept = c.keeping(p)
	return max(watched, least), max(kept, min(least, keptMost*beat(p)))
}

// beat is the time between two beats.
func beat(p *Place) time.Duration { return min(p.s.LeaseTime(), p.record.lease) / 4 }

// keeping is the time between two reads of the znodes that have no watch. The third in line asks
// about the first once in the time between two beats: when the first is gone it is the heir and has
// to beat, because the one behind listens to it. The fourth asks as often, because it may be the
// third already. The fifth asks half as often, and those further back still more rarely.
func (c *chores) keeping(p *Place) time.Duration {
	switch blocks := depth(p.ahead); {
	case blocks < listenTo:
		return p.s.Timeout()
	case blocks <= listenTo+1:
		return beat(p)
	case blocks == listenTo+2:
		return 2 * beat(p)
	}
	return keptMost * beat(p)
}

// next returns how long it is until a chore is due.
func (c *chores) next(p *Place, now clock.Instant) time.Duration {
	watched, kept := c.every(p)
	next := min(c.watched.Add(watched).Until(now), c.kept.Add(kept).Until(now))
	if before := p.watchedBefore(); before != nil && before.Deleted() {
		next = 0
	}
	if p.unread() {
		next = min(next, c.own.Until(now))
	}
	return next
}

// do does what is due. A wake-up interrupts it: no chore may delay a place that is ours.
func (c *chores) do(ctx context.Context, p *Place) error {
	ctx, stop := UntilWoken(ctx, p.wake)
	defer stop()
	now, part := p.cfg.Clock.Now(), p.cfg.Clock.Random()*spread
	watched, kept := c.every(p)
	var err error
	if p.unread() && c.own.Passed(now) {
		err = p.checkOwn(ctx)
	}
	if err == nil && c.watched.Add(watched).Passed(now) {
		if err = p.askWatched(ctx); err == nil {
			c.watched = early(now, part, watched)
		}
	}
	if before := p.watchedBefore(); err == nil && before != nil && before.Deleted() {
		asked := false
		if err = p.passed(ctx, len(p.ahead)-2, &asked); err != nil {
			c.kept = early(now, 1, kept) // those further ahead may have gone, too
		}
	}
	if err == nil && c.kept.Add(kept).Passed(now) {
		if err = p.askKept(ctx); err == nil {
			c.kept = early(now, part, kept)
		}
	}
	if err != nil && Woken(ctx) {
		return nil
	}
	return err
}

// errWoken is why a chore was put off.
var errWoken = errors.New("woken")

// UntilWoken returns a context that ends with a signal, which it leaves in the channel.
func UntilWoken(ctx context.Context, wake chan struct{}) (woken context.Context, stop func()) {
	woken, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-wake:
			cancel(errWoken)
			notify.Signal(wake)
		case <-woken.Done():
		}
	}()
	return woken, func() { cancel(nil); <-done }
}

// Woken reports whether a context of UntilWoken has ended with a signal.
func Woken(ctx context.Context) bool { return context.Cause(ctx) == errWoken }

// askWatched asks about the znodes on which there should be watches: the own and the nearest ahead.
func (p *Place) askWatched(ctx context.Context) error {
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
		there, err := p.there(ctx, len(p.ahead)-1)
		if err != nil || there {
			return err
		}
		p.departed()
	}
	return nil
}

// askKept asks about those in the kept list that mostly have no watch: the one before the nearest,
// the first of the line, and, if readers are ahead, the last writer. They tell how many blocks are
// ahead, if these are few. The holder reads the record, because it writes it when it leaves. One
// that is first but waits for a lease reads it to find out whether it still has to.
func (p *Place) askKept(ctx context.Context) error {
	switch {
	case len(p.ahead) == 0 && !p.led:
		return p.askRecord(ctx)
	case len(p.ahead) == 0:
		return p.refresh(ctx)
	}
	asked := false // the record
	err := p.askWhile(ctx, &asked, func() (i int, more bool) { return len(p.ahead) - 2, len(p.ahead) > 1 })
	if err == nil {
		err = p.askWhile(ctx, &asked, func() (i int, more bool) { return 0, len(p.ahead) > listenTo })
	}
	if err == nil {
		err = p.askWhile(ctx, &asked, func() (i int, more bool) {
			i = lastWriter(p.ahead)
			return i, 0 < i && i < len(p.ahead)-listenTo
		})
	}
	return err
}

// askWhile asks about the one at a place in the kept list until it finds one that is there.
func (p *Place) askWhile(ctx context.Context, asked *bool, at func() (i int, more bool)) error {
	for i, more := at(); more; i, more = at() {
		there, err := p.there(ctx, i)
		if err == nil && !there {
			err = p.passed(ctx, i, asked)
		}
		if err != nil || there {
			return err
		}
	}
	return nil
}

// there reports whether a znode of the line still exists. Newer servers do not tell that without
// READ; then the list of the line tells it.
func (p *Place) there(ctx context.Context, i int) (bool, error) {
	stat, ok, err := p.ask(ctx, i)
	if errors.Is(err, zk.ErrNoAuth) {
		if n := p.ahead[i]; i == len(p.ahead)-1 && p.owner == 0 && p.impaired == nil && Ours(n.Full) {
			p.impair(fmt.Errorf("the znode %s of the candidate ahead cannot be read, so that its session has to expire first: %w", n.Full, err))
		}
		names, _, err := p.s.Children(ctx, p.dir)
		return slices.Contains(names, p.ahead[i].Full), goneIfNoNode(err)
	}
	if ok && i == len(p.ahead)-1 && p.nearest != nil { // else it may yet be skipped
		p.owner, p.persistent = stat.EphemeralOwner, stat.EphemeralOwner == 0
	}
	return ok, err
}

// ask reads the Stat of a znode of the line, and whether it exists. It leaves a watch on the one
// before the nearest, if there should be one. A watch that is there proves nothing, so it asks
// nevertheless.
func (p *Place) ask(ctx context.Context, i int) (stat zk.Stat, ok bool, err error) {
	path := p.dir + "/" + p.ahead[i].Full
	if i != len(p.ahead)-2 || !p.cfg.Busy || p.shared {
		return p.s.Exists(ctx, path)
	}
	before := p.watchedBefore()
	if before == nil {
		before = p.s.Watch(path, p.wake)
		p.before, p.beforeName = before, p.ahead[i].Full
	}
	if before.Armed() {
		return p.s.Exists(ctx, path)
	}
	_, stat, err = before.Get(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return stat, false, nil
	case errors.Is(err, zk.ErrNoAuth):
		return p.s.Exists(ctx, path) // older servers tell
	}
	return stat, err == nil, err
}

// watchedBefore returns the watch on the one before the nearest, or nil. It stops one that is on
// another znode. In the line of a lock, the end of that one mostly means that the nearest holds the
// lock now. Then this place is the heir. Its session has to beat before its turn comes, or it would
// have to beat first and hold the lock afterwards. A place that has just joined leaves no such
// watch, because it would cost a request. Readers leave none: those behind one writer would all be
// woken at the same time.
func (p *Place) watchedBefore() *session.Watch {
	if i := len(p.ahead) - 2; p.before != nil && (i < 0 || p.ahead[i].Full != p.beforeName) {
		p.before.Stop()
		p.before = nil
	}
	return p.before
}
