package election

import (
	"errors"
	"fmt"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// Reason tells why a term ended. A Reason is an error, and the cause of a term's
// context wraps it: errors.Is(context.Cause(ctx), election.LeaseExpired).
type Reason int

const (
	// Resigned: [Term.Resign] was called.
	Resigned Reason = iota + 1
	// Returned: the callback returned, nil or an error.
	Returned
	// Stopped: the callback returned [ErrStop].
	Stopped
	// Panicked: the callback panicked, or ended its goroutine.
	Panicked
	// Cancelled: the context of Run ended. (Campaign's bounds the wait alone.)
	Cancelled
	// Closed: the client was closed.
	Closed
	// Unhealthy: [Config.Healthy] returned an error.
	Unhealthy
	// LeaseExpired: no beat of the session was confirmed in time. Another may lead once the
	// lease has ended.
	LeaseExpired
	// SessionLost: the session is over.
	SessionLost
	// NodeDeleted: our znode is gone: somebody deleted it, an heir took over, or the ensemble
	// ended our session and the deletion was heard of first. Another leads when the lease is over.
	NodeDeleted
)

var reasons = []string{
	0: "none", Resigned: "resigned", Returned: "returned", Stopped: "stopped", Panicked: "panicked",
	Cancelled: "cancelled", Closed: "closed", Unhealthy: "unhealthy",
	LeaseExpired: "lease expired", SessionLost: "session lost", NodeDeleted: "node deleted",
}

// String returns the reason in words.
func (r Reason) String() string { return enum.Name(r, reasons) }

// Error makes a Reason an error.
func (r Reason) Error() string { return "election: term over: " + r.String() }

// Chosen reports whether the end was our own choice: then the znode, and with it the
// leadership, is kept until the work has stopped or DrainTimeout has passed.
func (r Reason) Chosen() bool { return r >= Resigned && r <= Unhealthy }

// Ended is the cause of a term's context once the term is over. It matches its Reason
// and what led to it with errors.Is.
type Ended struct {
	Reason Reason
	// Err is what led to it, if anything: the callback's error, why the session is over.
	Err error
}

// Error says why the term ended.
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
	// ErrStop, returned by the callback of [Election.Run], alone or wrapped, ends Run: the
	// candidate resigns and leaves, and Run returns nil, or the error that wraps ErrStop.
	ErrStop = errors.New("election: stop")
	// ErrNotLeading: the term is over, so nothing was done.
	ErrNotLeading = errors.New("election: not leading")
	// ErrBusy: the Election is running or campaigning already. Each candidate is an Election of
	// its own.
	ErrBusy = errors.New("election: this candidate is running already, or its last term has not been resigned")
	// ErrGoexit: the callback ended its goroutine with runtime.Goexit, as t.FailNow does.
	ErrGoexit = errors.New("election: the callback called runtime.Goexit")
)

// PermanentError is what Run and Campaign return when trying again cannot help: the
// credentials or the ACL do not allow to join, the path cannot hold an election.
type PermanentError struct {
	// Path is the election's.
	Path string
	// Err is what was refused: errors.Is(err, zk.ErrNoAuth), for instance.
	Err error
}

// Error says what is wrong with which election.
func (e *PermanentError) Error() string {
	return fmt.Sprintf("election %s: cannot join: %v", e.Path, e.Err)
}

// Unwrap returns what was refused.
func (e *PermanentError) Unwrap() error { return e.Err }

// isPermanent reports whether trying again cannot help.
func isPermanent(err error) bool {
	var tooLong *recipe.LeaseError
	return session.Permanent(err) || errors.As(err, &tooLong)
}
