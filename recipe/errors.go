package recipe

import (
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// ErrNotHeld: the term is over, the lock is released or lost, so nothing was done. A call that was
// refused returns it, such as Multi. An [*EndedError] does not match it, because something may have
// been done before the end.
var ErrNotHeld error = notHeld{}

type notHeld struct{}

func (notHeld) Error() string { return "recipe: not held any more" }

// Outcome is for session.OutcomeOf.
func (notHeld) Outcome() session.Outcome { return session.OutcomeNotDone }

// PermanentError is what a recipe returns when another attempt cannot help: the credentials or the
// ACL are not sufficient, or the recipe cannot use the path.
type PermanentError struct {
	// Path is the recipe's.
	Path string
	// Err is why, for example one that matches zk.ErrNoAuth.
	Err error
}

// Error says what is wrong with which path.
func (e *PermanentError) Error() string {
	return fmt.Sprintf("recipe: %s cannot be used: %v", e.Path, e.Err)
}

// Unwrap returns what was refused.
func (e *PermanentError) Unwrap() error { return e.Err }

// LeaseError: a session's lease is longer than the line at a path allows: that of an election, a
// lock or a semaphore. The others would not wait long enough for it, so it must not join. Either
// the client needs a shorter Config.Lease, or what the path holds has to be changed while nobody
// stands in the line.
type LeaseError struct {
	// Path is the line's.
	Path string
	// Lease is the session's, session.Config.Lease.
	Lease time.Duration
	// Allowed is the longest lease that is allowed there: that of the record in the path, or
	// session.DefaultLease if there is no record. Who comes first writes the record, unless
	// somebody has created the path with one before.
	Allowed time.Duration
	// Err is nil if the path has a record that this release reads. Otherwise it says what is wrong:
	// a record of a later release, whose lease counts; or no record, because the path holds
	// somebody else's data, or there is no permission to write one.
	Err error
}

// Error names both leases. It says where the limit comes from and what to do.
func (e *LeaseError) Error() string {
	const where = "as recipe/docs/operations.md says under \"The longest lease of a line\""
	if e.Err == nil {
		return fmt.Sprintf("recipe: session.Config.Lease is %v, but the record in %s allows %v at most; use a shorter lease, or raise the record %s",
			e.Lease, e.Path, e.Allowed, where)
	}
	return fmt.Sprintf("recipe: session.Config.Lease is %v, but %s takes %v at most: %v; use a shorter lease or another path, or change what this path holds %s",
		e.Lease, e.Path, e.Allowed, e.Err, where)
}
