//go:build linux

package campaign

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/hold"
)

// debuggers are those of the servers in a round, by the servers' ids. They belong to the goroutine
// that runs the round.
type debuggers map[int]*hold.VM

// letGo ends them, and by that lets all threads go.
func (d debuggers) letGo() {
	for id, vm := range d {
		_ = vm.Close() // whatever is wrong with it, it is over
		delete(d, id)
	}
}

// debugger returns that of a server.
func (r *Round) debugger(ctx context.Context, s *ensemble.Server) (*hold.VM, error) {
	if vm := r.debuggers[s.ID()]; vm != nil {
		select {
		case <-vm.Done(): // the server has been started anew
		default:
			return vm, nil
		}
	}
	vm, err := hold.Attach(ctx, func(ctx context.Context) (net.Conn, error) {
		return r.rig.hosts[s.ID()-1].dial(ctx, s.DebugAddr())
	})
	if err != nil {
		return nil, err
	}
	if r.debuggers == nil {
		r.debuggers = debuggers{}
	}
	r.debuggers[s.ID()] = vm
	return vm, nil
}

// hold has the next thread of a server that comes to a place stop there.
func (r *Round) hold(ctx context.Context, s *ensemble.Server, p hold.Place) (*hold.Held, error) {
	vm, err := r.debugger(ctx, s)
	if err != nil {
		return nil, err
	}
	return vm.Hold(ctx, p)
}

// reached waits until a thread stands at its place: that of the session tracker comes there when a
// session has expired.
func (r *Round) reached(ctx context.Context, h *hold.Held) (thread string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 4*r.T+4*tick, fmt.Errorf("%w: no session has expired", errAgain))
	defer cancel()
	return h.Wait(ctx)
}

// staleWithin is longer than any fault's session timeout, and what the servers round it up by.
const staleWithin = 40 * time.Second

// alone waits until the servers know no session but those of this round's candidates and the rig's
// own. One that an earlier round has left ends by itself, and the tracker would be stopped for that
// one.
func (r *Round) alone(ctx context.Context, zkLeader *ensemble.Server) error {
	ctx, cancel := context.WithTimeout(ctx, staleWithin)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		ours, err := r.sessions(ctx)
		if err != nil {
			return err
		}
		dump, err := zkLeader.Command(ctx, "dump")
		if err != nil {
			return err
		}
		stale := stale(dump, ours)
		if stale == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("sessions of an earlier round do not end: %q; this one's are %q", stale, ours)
		}
	}
}

// sessions returns the ids of the sessions of this round's candidates and of the rig, as the answer
// to "dump" has them.
func (r *Round) sessions(ctx context.Context) (ids []string, err error) {
	for _, c := range r.candidates {
		ids = append(ids, r.of(c.id).session)
	}
	for _, c := range append(r.rig.eyes, r.rig.admin) {
		s, err := c.Session(ctx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, fmt.Sprintf("%#x", s.ID()))
	}
	return ids, nil
}

// stale picks other sessions out of the answer to "dump". It names those that the tracker knows
// first, each on a line of its own.
func stale(dump string, ours []string) (ids []string) {
	sessions, _, _ := strings.Cut(dump, "ephemeral nodes dump:")
	for line := range strings.Lines(sessions) {
		id, _, _ := strings.Cut(strings.TrimSpace(line), "\t") // some releases add the timeout
		if strings.HasPrefix(id, "0x") && !slices.Contains(ours, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// trackerHeld lets the heir's session expire while the ZooKeeper leader's session tracker is
// stopped between taking it from its queue and marking it as closing. Until then the servers take
// the session for alive: the heir comes back in it, and leads. Then it is cut off for good, the
// tracker closes the session, and another candidate leads.
func trackerHeld(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	zkLeader, err := r.rig.Leader(ctx)
	if err != nil {
		return err
	}
	if err := r.alone(ctx, zkLeader); err != nil {
		return err
	}
	tracker, err := r.hold(ctx, zkLeader, hold.TrackerClosing)
	if err != nil {
		return err
	}
	heir := l.waiting[0]
	before := r.of(heir.id)
	if err := r.cut(ctx, heir); err != nil {
		return err
	}
	thread, err := r.reached(ctx, tracker)
	if err != nil {
		return err
	}
	since := time.Now()
	r.fault("%s of server %d, which leads the servers, stands still", thread, zkLeader.ID())
	leads, err := r.comesToLead(ctx, l, heir, before)
	if err != nil {
		return err
	}
	if err := r.cut(ctx, heir); err != nil {
		return err
	}
	r.fault("%s goes on", thread)
	if err := tracker.Release(ctx); err != nil {
		return err
	}
	r.notes.measure("held", time.Since(since))
	if !leads {
		return nil // it was known to be over before it came back: that is as good
	}
	return r.losesAll(ctx, heir, r.of(heir.id))
}

// cut cuts a candidate's link until it is mended.
func (r *Round) cut(ctx context.Context, c *candidate) error {
	r.fault("%s: all traffic dropped", c.id)
	return c.home.rule(ctx, Both, clientSide, "", "-j", "DROP")
}

// comesToLead lets the heir come back, and the leader resign. It tells whether the heir leads then,
// with the znode that it had before.
func (r *Round) comesToLead(ctx context.Context, l line, heir *candidate, before standing) (bool, error) {
	r.fault("%s: link mended", heir.id)
	if err := heir.home.mend(ctx); err != nil {
		return false, err
	}
	back, err := r.patiently(ctx, r.T, func(ctx context.Context) error {
		return r.until(ctx, heir.id+" is back", func(now map[string]*standing) bool { return !now[heir.id].suspended })
	})
	if err != nil {
		return false, err
	}
	back = back && r.of(heir.id).node == before.node && r.of(heir.id).session == before.session
	r.notes.count("back in its session", back)
	if len(l.waiting) == 1 {
		if err := r.joins(ctx, "c"); err != nil {
			return false, err
		}
	}
	r.resign(l.leader)
	led, err := r.patiently(ctx, r.T, func(ctx context.Context) error {
		_, err := r.successor(ctx, l.term.token)
		return err
	})
	now := r.of(heir.id)
	leads := led && now.leading && now.node == before.node
	r.notes.count("led in it", leads)
	return leads, err
}

// joins starts a candidate and waits until it stands in line.
func (r *Round) joins(ctx context.Context, id string) error {
	if _, err := r.start(id); err != nil {
		return err
	}
	return r.until(ctx, id+" stands in line", func(now map[string]*standing) bool { return now[id] != nil && now[id].inLine })
}

// pingLoopHeld stops the thread of the ZooKeeper leader that pings the others. Nobody tells it of
// the sessions at the others then, so they expire there one after the other, while requests are
// served. The first to expire is the leader's: the others are at the ZooKeeper leader. Its tracker
// is stopped, too, so that the candidate can be cut off before it learns.
func pingLoopHeld(ctx context.Context, r *Round) error {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return err
	}
	zkLeader, err := r.rig.Leader(ctx)
	if err != nil {
		return err
	}
	l, err := r.lineUpAt(ctx, follower, zkLeader)
	if err != nil {
		return err
	}
	loop, tracker, err := r.expireAtFollowers(ctx, zkLeader)
	if err != nil {
		return err
	}
	leads := r.of(l.leader.id).leading && r.of(l.leader.id).token == l.term.token
	r.notes.count("led until then", leads)
	if err := r.cut(ctx, l.leader); err != nil {
		return err
	}
	return r.closeSession(ctx, l.leader, r.of(l.leader.id), loop, tracker)
}

// expireAtFollowers stops the thread of the ZooKeeper leader that pings the others, and returns
// when the first session there has expired. Its tracker stands still before it closes that session.
func (r *Round) expireAtFollowers(
	ctx context.Context, zkLeader *ensemble.Server,
) (loop, tracker *hold.Held, err error) {
	if err := r.alone(ctx, zkLeader); err != nil {
		return nil, nil, err
	}
	if loop, err = r.hold(ctx, zkLeader, hold.PingLoop); err != nil {
		return nil, nil, err
	}
	if tracker, err = r.hold(ctx, zkLeader, hold.TrackerClosing); err != nil {
		return nil, nil, err
	}
	if _, err := r.reached(ctx, loop); err != nil {
		return nil, nil, err
	}
	r.fault("server %d, which leads the servers, pings nobody", zkLeader.ID())
	_, err = r.reached(ctx, tracker)
	return loop, tracker, err
}

// closeSession lets the tracker close the session of a candidate that is cut off and so does not
// learn that. Then it lets the loop go on.
func (r *Round) closeSession(
	ctx context.Context, c *candidate, term standing, loop, tracker *hold.Held,
) error {
	if err := tracker.Release(ctx); err != nil {
		return err
	}
	r.fault("the session tracker goes on")
	if err := r.losesAll(ctx, c, term); err != nil {
		return err
	}
	return loop.Release(ctx)
}

// losesAll waits until a leader that has been cut off has lost its znode, another one leads, and
// the first knows that its term is over.
func (r *Round) losesAll(ctx context.Context, c *candidate, term standing) error {
	// Its session has long expired. If the tracker was stopped for another session, this one lives
	// on.
	closed, err := r.patiently(ctx, tick, func(ctx context.Context) error {
		_, err := r.goneAt(ctx, term.node)
		return err
	})
	if err != nil {
		return err
	}
	if !closed {
		return fmt.Errorf("%w: the tracker did not close the session of %s", errAgain, c.id)
	}
	elected, err := r.successor(ctx, term.token)
	if err != nil {
		return err
	}
	if err := r.until(ctx, c.id+" has given up", func(now map[string]*standing) bool {
		return !now[c.id].leading || now[c.id].token != term.token
	}); err != nil {
		return err
	}
	if last := r.of(c.id).beat; last > elected {
		r.notes.measure("two leaders", time.Duration(last-elected))
	}
	return nil
}
