//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	beat = 4 * time.Millisecond

	// settleWithin, in session timeouts, bounds how long after all is mended somebody must lead and
	// everybody stand in line: sessions have to expire, delays between attempts have grown, and the
	// machine is busy.
	settleWithin = 30

	// hangs is when a round is given up.
	hangs = 4 * time.Minute
)

// errAgain says that what a fault needs did not come about, because the machine is busy. Unless
// something else was broken the round shows nothing, and it is gone through again.
var errAgain = errors.New("again")

// Round is one round of a fault: an election with a path, candidates, and a rig to break.
type Round struct {
	*record
	rig       *rig
	attempt   int    // 1, 2, ... at the same round
	exe       string // a candidate's
	contender string // its
	peers     bool   // see Config
	path      string
	T         time.Duration // session timeout of the candidates
	lease     time.Duration // D of the candidates
	slots     bool          // permits of contenders have slots
	asking    bool          // contenders are asked to do more than to hold
	rng       *rand.Rand    // decides what is left open, so that the seed repeats the plan

	candidates []*candidate // in order of their start; each belongs to the goroutine that runs the round
	proxies    []*faultproxy.Proxy
	debuggers  debuggers
	watching   sync.WaitGroup // the goroutines that watch znodes
	kept       int64          // the token whose term may outlive the fault; 0: it is not asked for
	foreign    []string       // znodes of nobody's that must still be there at the end
	settledIn  time.Duration  // after all had been mended
	notes      notes
	after      []time.Duration // from a fault that ends a leadership until the next one leads
	stall      stallMeter
}

// draw draws T, from the shortest that the servers grant on, and D, from the shortest to the
// longest that T allows. The seed repeats them.
func (r *Round) draw() {
	r.T = pick(r, []time.Duration{2 * tick, 4 * tick, 8 * tick})
	r.lease = pick(r, []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, r.T / 2})
}

// drawSlots draws whether permits have slots.
func (r *Round) drawSlots() { r.slots = r.rng.IntN(2) == 0 }

// Candidate processes are named so.
var names = []string{"a", "b", "c", "d", "e"}

// fault notes what is about to be done, and returns when that was.
func (r *Round) fault(format string, args ...any) (now int64) {
	now = history.Now()
	r.mark(history.Line{T: now, Event: "fault", Text: fmt.Sprintf(format, args...)})
	return now
}

func (r *Round) broken(kind, format string, args ...any) {
	r.mark(history.Line{Event: "broken", Reason: kind, Text: fmt.Sprintf(format, args...)})
}

// last lets a fault last.
func (r *Round) last(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// between picks a duration between two multiples of T.
func (r *Round) between(from, to float64) time.Duration {
	return time.Duration((from + (to-from)*r.rng.Float64()) * float64(r.T))
}

// leases picks a duration between two multiples of D.
func (r *Round) leases(from, to float64) time.Duration {
	return time.Duration((from + (to-from)*r.rng.Float64()) * float64(r.lease))
}

func pick[E any](r *Round, from []E) E { return from[r.rng.IntN(len(from))] }

// run goes through a round and returns its history. The error is why it could not be gone through.
func (r *Round) run(ctx context.Context, f Fault, seed uint64) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, hangs, fmt.Errorf("round hangs: %v are over", hangs))
	defer func() { cancel(); r.watching.Wait() }()
	r.mark(history.Line{Event: "round", TimeoutMS: r.T.Milliseconds(), LeaseMS: r.lease.Milliseconds(),
		Text: fmt.Sprintf("%s, seed %d, path %s", f.Name, seed, r.path)})
	if err := r.rig.mend(ctx); err != nil {
		return err
	}
	defer r.stall.start()()
	defer r.end()
	if f.Alone { // it needs no election
		return f.Do(ctx, r)
	}
	r.watch(ctx, r.path)
	if f.Start == nil {
		err = r.lineUp(ctx, 3)
	} else {
		err = f.Start(ctx, r)
	}
	if err == nil {
		err = f.Do(ctx, r)
	}
	if err == nil {
		err = r.mend(ctx)
	}
	if err != nil {
		return err
	}
	r.close()
	return r.clean(ctx)
}

// mend ends all faults and demands that the election recovers.
func (r *Round) mend(ctx context.Context) error {
	for _, c := range r.candidates {
		if c.paused {
			r.resume(c)
		}
	}
	r.debuggers.letGo()
	if err := r.rig.mend(ctx); err != nil {
		return err
	}
	bound := min(settleWithin*r.T, hangs/2)
	r.mark(history.Line{Event: "healed", TimeoutMS: bound.Milliseconds(), Text: "all is mended"})
	begin := time.Now()
	var l line
	ok, err := r.patiently(ctx, bound, func(ctx context.Context) (err error) {
		if r.contended() {
			return r.served(ctx)
		}
		l, err = r.line(ctx)
		return err
	})
	if !ok && err == nil {
		r.broken(history.Liveness, "%v after all had been mended not everybody stands in line behind a leader, or has been served", bound)
		err = r.judgeServers(ctx)
	}
	if r.kept != 0 {
		r.notes.count("kept leading", l.term.token == r.kept)
	}
	r.settledIn = time.Since(begin)
	r.countAsked()
	return err
}

// close tells all candidates to leave, at once.
func (r *Round) close() {
	r.mark(history.Line{Event: "closing"})
	word := ""
	if r.peers {
		word = "quit"
	}
	var wg sync.WaitGroup
	for _, c := range r.candidates {
		if c.killed {
			continue
		}
		wg.Go(func() {
			if err := c.leave(word); err != nil {
				r.broken(history.Exit, "%v", err)
			}
		})
	}
	wg.Wait()
}

// end ends what is still there, whatever happened.
func (r *Round) end() {
	r.debuggers.letGo()
	for _, c := range r.candidates {
		if c.running() {
			c.resume()
			c.kill()
		}
	}
	for _, p := range r.proxies {
		p.Close()
	}
}

// clean demands that the candidates have left nothing, and what is not theirs is there; then it
// removes the path.
func (r *Round) clean(ctx context.Context) error {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	if err := r.unplant(ctx); err != nil {
		return err
	}
	for _, dir := range r.dirs() {
		// A candidate that was killed leaves a znode until the session expires: after T, and up to
		// a tick for the ensemble's buckets. A busy machine may be later than that.
		left, err := r.childless(ctx, dir, r.T+leaveWithin)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			if err := r.judgeServers(ctx); err != nil {
				return err
			}
		}
		for _, name := range left {
			r.broken(history.Leftover, "%s is left", path.Join(dir, name))
			if err := s.EnsureDeleted(ctx, path.Join(dir, name)); err != nil {
				return err
			}
		}
		if err := r.remove(ctx, s, dir); err != nil {
			return err
		}
	}
	return r.remove(ctx, s, r.path)
}

// remove deletes a directory and the register that may belong to it.
func (r *Round) remove(ctx context.Context, s *session.Session, dir string) error {
	return errors.Join(s.EnsureDeleted(ctx, dir), s.EnsureDeleted(ctx, registers+dir))
}

// childless waits until dir has no children, and returns those that it still has after so long.
func (r *Round) childless(ctx context.Context, dir string, within time.Duration) (names []string, err error) {
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	w := s.Watch(dir, wake)
	defer w.Stop()
	late := time.After(within)
	for {
		names, _, err = w.Children(ctx)
		if errors.Is(err, zk.ErrNoNode) { // Curator makes a container of the path, and the ensemble deletes an empty one
			return nil, nil
		}
		if err != nil || len(names) == 0 {
			return nil, err
		}
		select {
		case <-wake:
		case <-late:
			return names, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
