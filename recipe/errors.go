package recipe

import (
	"fmt"
	"time"
)

// LeaseError: a candidate's lease is longer than the others in its line expect, so it must not
// stand there: they would not wait for it long enough. Config.Lease of its client has to be
// shortened, or the record on the path changed while nobody stands in the line.
type LeaseError struct {
	// Path is the line's.
	Path string
	// Lease is the candidate's, session.Config.Lease.
	Lease time.Duration
	// Allowed is the longest in the line, which its first candidate has set.
	Allowed time.Duration
}

// Error names both.
func (e *LeaseError) Error() string {
	return fmt.Sprintf("recipe: a lease of %v is too long for %s, where the longest is %v", e.Lease, e.Path, e.Allowed)
}
