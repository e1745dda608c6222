package election

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Term is one period of leadership, from the election to its end for one reason. Any number of
// goroutines may use it, also after its end.
type Term struct {
	held  *held.Held
	id    string
	begun clock.Instant // when the stay began
	inRun bool          // the work has stopped when the callback returns, not when Release is called

	proclaiming chan struct{} // held while Proclaim writes
	version     int32         // of our znode, as Proclaim knows it

	stopped  chan struct{} // closed by Release
	stop     sync.Once
	released chan struct{} // closed when the znode is gone, or when only the session's end will delete it
}

// newTerm makes a term under ctx, of which only the values are used.
func newTerm(ctx context.Context, id string, cfg held.Config) *Term {
	return &Term{id: id, held: held.New(ctx, cfg), proclaiming: make(chan struct{}, 1),
		stopped: make(chan struct{}), released: make(chan struct{})}
}

// Context is cancelled when the term ends. context.Cause tells why, as an [*recipe.EndedError]. If
// the lease runs out, it is cancelled StopBefore earlier, which is the time for work in progress to
// stop. In a process that was paused past the end, the first call of its Err already returns the
// error. A context derived from it (context.WithTimeout, errgroup.WithContext) ends by a timer,
// which may be late in such a process. So work under a derived context has to ask Valid before each
// unit of work.
func (t *Term) Context() context.Context { return t.held.Context() }

// DrainContext is for a unit of work that is in progress when Context ends and should be finished.
// If the term has ended by our own choice ([recipe.Reason.Chosen]: a resignation, a cancelled Run,
// Close), the znode is kept while the work stops. DrainContext goes on meanwhile. It ends when the
// callback has returned, when [Term.Release] is called, when DrainTimeout has passed, or StopBefore
// before the end of the lease. No other candidate of this library leads before it ends. If the
// leadership is lost, DrainContext ends as soon as that is known here, also while the work stops.
//
// Begin no new work under it: Valid is false, and another may be waiting. Its cause is an
// [*recipe.EndedError], too. In a process that was paused, it and contexts derived from it behave
// as Context does.
func (t *Term) DrainContext() context.Context { return t.held.DrainContext() }

// Valid reports whether this candidate leads at this moment, and no other of this library does.
// Call it before every unit of work: it costs no more than two readings of a clock. A unit that
// must not be done twice should also send the [Term.Token] to a resource that refuses older ones,
// because work that has begun cannot be recalled.
func (t *Term) Valid() bool { return t.held.Valid() }

// Token is the fencing token: larger than that of every earlier leader of this path, as long as the
// ensemble keeps its data. It is the czxid of the leader's znode. Leaders of two paths may have the
// same token. So a resource that several elections share keeps a token for each.
func (t *Term) Token() int64 { return t.held.Token() }

// Deadline returns when the lease ends if nothing extends it, by the wall clock: for display and
// for other processes. To decide whether to begin some work, see Remaining.
func (t *Term) Deadline() time.Time { return t.held.Deadline() }

// Remaining returns how long the term lasts if nothing extends its lease; zero when it is over.
func (t *Term) Remaining() time.Duration { return t.held.Remaining() }

// ID is the candidate's.
func (t *Term) ID() string { return t.id }

// Node is the path of the leader's znode.
func (t *Term) Node() string { return t.held.Node() }

// Multi carries out ZooKeeper operations, all or none, provided that our znode still exists at that
// moment: it is never carried out in a later term. The operations are zk's; the results are theirs.
// The error is [recipe.ErrNotHeld] when the term is over and [Term.DrainContext] has ended. Then
// nothing was done. See [session.OutcomeOf] for other errors.
//
// If the outcome is unknown, the operations may still be carried out as long as the znode exists,
// even after later ones of the same leader. Give SetDataRequest the version that was read: then a
// late write changes nothing that was written since.
func (t *Term) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	return t.held.Multi(ctx, ops...)
}

// Proclaim replaces the data that observers see beside the ID. Do not use it while a Curator
// LeaderLatch may stand behind us in line: the change uses up the latch's watch on our znode, and
// the latch does not hear when we leave.
//
// If the outcome is unknown (see [session.OutcomeOf]), this write may still be carried out, until a
// later call has succeeded.
func (t *Term) Proclaim(ctx context.Context, data []byte) error {
	if len(data) > ident.MaxData {
		return fmt.Errorf("election: Proclaim was given %d bytes; want at most %d", len(data), ident.MaxData)
	}
	select {
	case t.proclaiming <- struct{}{}:
		defer func() { <-t.proclaiming }()
	case <-ctx.Done():
		return notProclaimed(t, context.Cause(ctx))
	case <-t.DrainContext().Done():
		return recipe.ErrNotHeld
	}
	for {
		// At a version: else an earlier request without an answer could be carried out later.
		results, err := t.Multi(ctx, &zk.SetDataRequest{Path: t.Node(), Data: ident.Encode(t.id, data), Version: t.version})
		if err == nil && results[0].Stat != nil {
			t.version = results[0].Stat.Version
		}
		if !errors.Is(err, zk.ErrBadVersion) {
			return err
		}
		_, stat, err := t.held.Get(ctx, t.Node())
		switch {
		case errors.Is(err, zk.ErrNoNode):
			return recipe.ErrNotHeld
		case err != nil:
			return notProclaimed(t, err)
		}
		t.version = stat.Version
	}
}

func notProclaimed(t *Term, err error) error {
	return &session.Error{Op: "setData", Path: t.Node(), Outcome: session.OutcomeNotDone, Err: err}
}

// Resign ends the term; it does not wait. In [Election.Run] the callback should return then, and
// the znode is deleted after that. After [Election.Campaign] the work should stop and call
// [Term.Release]. Resign may be called at any time and more than once, also after the term has
// ended by itself.
func (t *Term) Resign() { t.held.End(recipe.ReasonReleased, nil) }

// Release says that the work of a term of [Election.Campaign] has stopped. It ends the term, if it
// has not ended, and waits until the znode is deleted. If ctx ends first, the deletion goes on in
// the background. Release may be called more than once, also after the term has ended by itself. If
// the leadership was lost, the error is a [*recipe.EndedError] that tells why. Do not use Release
// in Run: there the work has stopped when the callback returns, and Release only returns an error.
func (t *Term) Release(ctx context.Context) error {
	if t.inRun {
		return errReleaseInRun
	}
	t.Resign()
	t.held.Finish()
	t.stop.Do(func() { close(t.stopped) })
	if err := tenure.Await(ctx, t.released); err != nil {
		return err
	}
	if lost := t.held.Lost(); lost != nil {
		return lost
	}
	return nil
}

var errReleaseInRun = errors.New("election: Release in the callback of Run; return from it instead")
