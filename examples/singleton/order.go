//go:build unix && !aix

package main

import (
	"syscall"
	"time"
)

// limits are until when a job may run: at Term it is sent SIGTERM, at Kill SIGKILL. Both are
// readings of now, a clock that all processes of the machine share.
type limits struct{ Term, Kill time.Duration }

// An order goes from the supervisor to its guardian, as JSON over a pipe. The end of the
// pipe means that the supervisor is dead.
type order struct {
	limits                // from now on
	Signal syscall.Signal // to be passed on to the job, unless it is 0
}
