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

// LeaseError: a candidate's lease is longer than the record of its line allows. The others would
// not wait long enough for it, so it must not join. Either its client needs a shorter Config.Lease,
// or the record has to be changed while nobody stands in the line.
type LeaseError struct {
	// Path is the line's.
	Path string
	// Lease is the candidate's, session.Config.Lease.
	Lease time.Duration
	// Allowed is the longest that the record allows. The first candidate writes the record, unless
	// somebody has created the path with a record before. If there is no record that can be read,
	// Allowed is session.DefaultLease.
	Allowed time.Duration
}

// Error names both leases. It says where the limit comes from and what to do.
func (e *LeaseError) Error() string {
	why := "allows no more"
	if e.Allowed == session.DefaultLease {
		why += ", or cannot be read"
	}
	return fmt.Sprintf("recipe: session.Config.Lease is %v, but %s takes %v at most: the record in that path, written by its first candidate, %s; "+
		"use a shorter lease, or raise the record as recipe/docs/operations.md says under \"The longest lease of a line\"",
		e.Lease, e.Path, e.Allowed, why)
}
