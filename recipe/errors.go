package recipe

import (
	"fmt"
	"time"
)

// LeaseError: a candidate's lease is longer than the record of its line allows. The others would
// not wait long enough for it, so it must not join. Either its client needs a shorter
// Config.Lease, or the record has to be changed while nobody stands in the line.
type LeaseError struct {
	// Path is the line's.
	Path string
	// Lease is the candidate's, session.Config.Lease.
	Lease time.Duration
	// Allowed is the longest that the record allows. The first candidate writes it, unless
	// somebody has created the path with a record before.
	Allowed time.Duration
}

// Error names both.
func (e *LeaseError) Error() string {
	return fmt.Sprintf("recipe: a lease of %v is too long for %s, where the longest is %v", e.Lease, e.Path, e.Allowed)
}
