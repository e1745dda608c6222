package lock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
)

// Held is one period in which a lock is held, from its acquisition to its end. It ends once, for
// one reason. Any number of goroutines may use it, also after its end.
type Held struct {
	at       *holding
	nested   bool        // acquired under the context of another
	released atomic.Bool // changes under the mu of at
}

// Context is cancelled when the lock is not held any more; context.Cause tells why, as a
// [*recipe.EndedError]. It has the values of the context that Acquire was given, and does not end
// with that. If the lease runs out, it is cancelled StopBefore earlier, which is the time for work
// in progress to stop. In a process that was paused past the end, the first call of its Err already
// returns the error. A context derived from it (context.WithTimeout, errgroup.WithContext) ends by
// a timer, which may be late in such a process. So work under a derived context has to ask Valid
// before each unit of work.
func (h *Held) Context() context.Context { return h.at.Context() }

// DrainContext is for a unit of work that is in progress when Context ends and should be finished.
// If the end was our own choice ([recipe.Reason.Chosen]: the context of Do has ended, or the client
// was closed), the lock is kept while the work stops. DrainContext goes on meanwhile. It ends when
// the lock is released, when DrainTimeout has passed, or StopBefore before the end of the lease. No
// other contender of this library has the lock before it ends. If the lock is lost, DrainContext
// ends as soon as that is known here, also while the work stops.
//
// Begin no new work under it: Valid is false, and another may be waiting. Its cause is an
// [*recipe.EndedError], too. In a process that was paused, it and contexts derived from it behave
// as Context does.
func (h *Held) DrainContext() context.Context { return h.at.DrainContext() }

// Valid reports whether the lock is held at this moment, so that no other contender of this library
// holds it. Call it before every unit of work: it costs no more than two readings of a clock. A
// unit that must not be done twice should also send the [Held.Token] to a resource that refuses
// older ones, because work that has begun cannot be recalled.
func (h *Held) Valid() bool { return !h.released.Load() && h.at.Valid() }

// Remaining returns how long the lock is held if nothing extends its lease; zero when it is not.
func (h *Held) Remaining() time.Duration {
	if h.released.Load() {
		return 0
	}
	return h.at.Remaining()
}

// Deadline returns when the lease ends if nothing extends it, by the wall clock: for display and
// for other processes. To decide whether to begin some work, see Remaining.
func (h *Held) Deadline() time.Time { return h.at.Deadline() }

// Token is the fencing token: larger than that of every earlier holder of this path, as long as the
// ensemble keeps its data, also where the path was deleted meanwhile. It is the czxid of the
// holder's znode. Holders of two paths may have the same token. So a resource that several locks
// share keeps a token for each.
func (h *Held) Token() int64 { return h.at.Token() }

// Node is the path of the holder's znode.
func (h *Held) Node() string { return h.at.Node() }

// Multi carries out ZooKeeper operations, all or none, if the holder's znode still exists at that
// moment: it is never carried out while another holds the lock. The operations are zk's; the
// results are theirs. The error is [recipe.ErrNotHeld] when the lock is not held any more and
// [Held.DrainContext] has ended. Then nothing was done. See [session.OutcomeOf] for other errors.
//
// If the outcome is unknown, the operations may still be carried out as long as the znode exists,
// even after later ones of the same holder. Give SetDataRequest the version that was read: then a
// late write changes nothing that was written since.
func (h *Held) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if h.released.Load() {
		return nil, recipe.ErrNotHeld
	}
	return h.at.Multi(ctx, ops...)
}

// Release says that the work under the lock has stopped, and releases the lock. The znode is
// deleted, and Release waits for that until ctx ends. If ctx ends first, the deletion goes on in
// the background, and the error is the cause of ctx. Release may be called more than once. Once the
// znode is deleted, a ctx that has ended does not matter.
//
// If the lock was lost before, the error is a [*recipe.EndedError] that tells why, and Release does
// not wait.
func (h *Held) Release(ctx context.Context) error {
	h.release()
	if lost := h.at.lost(); lost != nil {
		return lost
	}
	select {
	case <-h.at.letGo:
	default:
		return nil // another acquisition under its context goes on
	}
	return tenure.Await(ctx, h.at.left)
}

// release says that h is not used any more, and ends what is held if that was the last. It may be
// called more than once: if Acquire has given up, it releases what it has won, and the user may do
// the same, because an event has shown it.
func (h *Held) release() {
	at := h.at
	at.mu.Lock()
	defer at.mu.Unlock()
	if h.released.Swap(true) {
		return
	}
	if at.holders--; at.holders > 0 {
		return
	}
	at.End(recipe.ReasonReleased, nil)
	at.Finish()
	close(at.letGo)
}

// holding is a place that is held: by one Held, or by several that were acquired under the context
// of the first.
type holding struct {
	*held.Held
	lock  *Lock
	claim *claims.Claim
	st    *stay.Stay
	first *Held

	mu        sync.Mutex    // guards holders and downgrade, and orders the releases
	holders   int           // Helds that are not released
	letGo     chan struct{} // closed when nobody holds it
	left      chan struct{} // closed when the znode is gone, or when only the session's end will delete it
	downgrade *downgrade    // what is asked for
	late      atomic.Bool   // it was given away before it was released
	revoked   sync.Once
}

// newHolding begins to hold. Its context has the values of ctx.
func newHolding(ctx context.Context, l *Lock, claim *claims.Claim, st *stay.Stay, cfg held.Config) *holding {
	h := &holding{lock: l, claim: claim, st: st, holders: 1, letGo: make(chan struct{}), left: make(chan struct{})}
	h.first = &Held{at: h}
	h.Held = held.New(context.WithValue(ctx, under{}, h.chain(ctx)), cfg)
	return h
}

// acquired reports that the lock is held.
func (h *holding) acquired(waited time.Duration) {
	h.Watch()
	h.claim.Held(recipe.Claim{Session: h.st.S.ID(), Node: h.Node(), Token: h.Token(), Permits: 1}, h, waited)
	h.lock.log.Debug("acquired", "session", feed.Hex(h.st.S.ID()), "node", h.Node(), "token", h.Token(), "waited", waited)
	h.lock.send(Event{Kind: EventAcquired, Session: h.st.S.ID(), Node: h.Node(), Token: h.Token(), Held: h.first, Waited: waited})
}

// lost returns why it ended, if another may have held the lock before it was released.
func (h *holding) lost() *recipe.EndedError {
	if e := h.Lost(); e != nil || !h.late.Load() {
		return e
	}
	return h.Ended()
}

// giveAway ends it when nobody will use it.
func (h *holding) giveAway(cause error) {
	h.End(recipe.ReasonCancelled, cause)
	h.first.release()
}

// again counts one more Held, unless it is over.
func (h *holding) again() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holders == 0 || h.DrainContext().Err() != nil {
		return false
	}
	h.holders++
	return true
}

// kept reports whether a Held is not released, and others still wait for it.
func (h *holding) kept() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holders > 0 && h.DrainContext().Err() == nil
}

// revoke reports that somebody asks for the release, the first time.
func (h *holding) revoke() {
	h.revoked.Do(func() {
		h.lock.log.Info("somebody asks to let go", "session", feed.Hex(h.st.S.ID()), "node", h.Node())
		h.lock.send(Event{Kind: EventRevoked, Session: h.st.S.ID(), Node: h.Node(), Token: h.Token(), Held: h.first})
		h.lock.revokes.Send(h.first)
	})
}
