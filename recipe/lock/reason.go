package lock

import (
	"errors"
	"fmt"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// Reason tells why a lock is not held any more. A Reason is an error, and the cause of a
// [Held]'s context wraps it: errors.Is(context.Cause(ctx), lock.LeaseExpired).
type Reason int

const (
	// Released: [Held.Release] was called, or the function of [Lock.Do] returned.
	Released Reason = iota + 1
	// Cancelled: the context of [Lock.Do] ended.
	Cancelled
	// Closed: the client was closed.
	Closed
	// LeaseExpired: no beat of the session was confirmed in time. Another may hold the lock once
	// the lease has ended.
	LeaseExpired
	// SessionLost: the session is over.
	SessionLost
	// NodeDeleted: our znode is gone: somebody deleted it, or another contender took over. Another
	// holds the lock when the lease is over.
	NodeDeleted
)

var reasons = []string{
	0: "none", Released: "released", Cancelled: "cancelled", Closed: "closed",
	LeaseExpired: "lease expired", SessionLost: "session lost", NodeDeleted: "node deleted",
}

// String returns the reason in words.
func (r Reason) String() string { return enum.Name(r, reasons) }

// Error makes a Reason an error.
func (r Reason) Error() string { return "lock: not held any more: " + r.String() }

// Chosen reports whether the end was our own choice: then the lock is kept until the work has
// stopped or DrainTimeout has passed. Otherwise the lock was lost.
func (r Reason) Chosen() bool { return r >= Released && r <= Closed }

// Ended is the cause of a [Held]'s context once it is over. It matches its Reason and what led
// to it with errors.Is.
type Ended struct {
	Reason Reason
	// Err is what led to it, if anything: why the session is over, for instance.
	Err error
}

// Error says why it ended.
func (e *Ended) Error() string {
	if e.Err == nil {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %v", e.Reason.Error(), e.Err)
}

// Unwrap returns the reason and what led to it.
func (e *Ended) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

var (
	// ErrBusy is the answer of TryAcquire when another holds the lock, or stands in line for it,
	// or may still hold it because its departure was not announced.
	ErrBusy = errors.New("lock: busy")
	// ErrNested: the context that was given comes from a [Held] of the same lock, so that waiting
	// would never end. See Config.Reentrant.
	ErrNested = errors.New("lock: held already by whose context this is")
	// ErrUpgrade: the context that was given comes from a [Held] for reading, and the lock for
	// writing was asked for. The writer would wait for the reader, which waits for the writer.
	ErrUpgrade = errors.New("lock: a reader cannot become the writer; release it first")
	// ErrNotHeld: the lock is not held any more, so nothing was done.
	ErrNotHeld = errors.New("lock: not held")
)

// PermanentError is what Acquire returns when trying again cannot help: the credentials or the
// ACL do not allow to join, the path cannot hold a lock.
type PermanentError struct {
	// Path is the lock's.
	Path string
	// Err is what was refused: errors.Is(err, zk.ErrNoAuth), for instance.
	Err error
}

// Error says what is wrong with which lock.
func (e *PermanentError) Error() string {
	return fmt.Sprintf("lock %s: cannot join: %v", e.Path, e.Err)
}

// Unwrap returns what was refused.
func (e *PermanentError) Unwrap() error { return e.Err }

// isPermanent reports whether trying again cannot help.
func isPermanent(err error) bool {
	var tooLong *recipe.LeaseError
	return session.Permanent(err) || errors.As(err, &tooLong)
}
