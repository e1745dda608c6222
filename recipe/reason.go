package recipe

import (
	"fmt"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

// Reason tells why something is not held any more: a term of an election, a lock, a permit. A
// Reason is an error, and the cause of the context of what was held wraps it:
// errors.Is(context.Cause(ctx), recipe.ReasonLeaseExpired).
type Reason int

const (
	// ReasonReleased: the holder gave it up, by Resign or Release.
	ReasonReleased Reason = iota + 1
	// ReasonReturned: the callback returned, nil or an error.
	ReasonReturned
	// ReasonStopped: the callback returned the error that ends the recipe, as election.ErrStop.
	ReasonStopped
	// ReasonPanicked: the callback panicked, or ended its goroutine.
	ReasonPanicked
	// ReasonCancelled: the context of the recipe's work ended. (A context that bounds a wait, as
	// that of Campaign, does not count.)
	ReasonCancelled
	// ReasonClosed: the client was closed.
	ReasonClosed
	// ReasonUnhealthy: Config.Healthy returned an error.
	ReasonUnhealthy
	// ReasonLeaseExpired: no beat of the session was confirmed in time. Another may hold it once
	// the lease has ended.
	ReasonLeaseExpired
	// ReasonSessionLost: the session is over.
	ReasonSessionLost
	// ReasonNodeDeleted: our znode is gone: somebody deleted it, an heir took over, or the ensemble
	// ended our session and the deletion was heard of first. Another may hold it once the lease has
	// ended.
	ReasonNodeDeleted
)

var reasons = []string{
	0: "none", ReasonReleased: "released", ReasonReturned: "returned", ReasonStopped: "stopped",
	ReasonPanicked: "panicked", ReasonCancelled: "cancelled", ReasonClosed: "closed", ReasonUnhealthy: "unhealthy",
	ReasonLeaseExpired: "lease expired", ReasonSessionLost: "session lost", ReasonNodeDeleted: "node deleted",
}

// String returns the reason in words.
func (r Reason) String() string { return enum.Name(r, reasons) }

// Error makes a Reason an error.
func (r Reason) Error() string { return "recipe: not held any more: " + r.String() }

// Chosen reports whether the end was our own choice. Then the znode is kept until the work has
// stopped or DrainTimeout has passed, and nobody else holds what it stands for as long as the lease
// is extended. The DrainContext of a term, a lock's Held or Set, or a permit ends before another
// can hold it.
func (r Reason) Chosen() bool { return r >= ReasonReleased && r <= ReasonUnhealthy }

// EndedError is the cause of the context of something that was held. It matches its Reason and what
// led to it with errors.Is. It does not match [ErrNotHeld], which promises that nothing was done: a
// request under such a context may have been carried out. To find it in an error, use errors.As
// with an *EndedError; [Reason.Chosen] then tells whether the end was our own choice. That finds
// the outermost one. If a lock was acquired under the context of a term, and the term is lost, the
// lock's EndedError has ReasonCancelled, and wraps the term's. So errors.Is finds both reasons
// there.
type EndedError struct {
	Reason Reason
	// Err is what led to it, if anything: the callback's error, why the session is over.
	Err error
}

// Error says why it is not held any more.
func (e *EndedError) Error() string {
	if e.Err == nil {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %v", e.Reason.Error(), e.Err)
}

// Unwrap returns the reason and what led to it.
func (e *EndedError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}
