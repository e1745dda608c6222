package main

import (
	"syscall"
	"time"
)

// An instant is one moment on two clocks that all processes of the machine share: one
// that never steps, and one that goes on while the machine is suspended. As a deadline it has
// passed when either says so. The zero instant has.
type instant struct {
	Mono int64 `json:"mono"` // CLOCK_MONOTONIC in ns
	Boot int64 `json:"boot"` // CLOCK_BOOTTIME in ns
}

func (i instant) add(d time.Duration) instant { return instant{i.Mono + int64(d), i.Boot + int64(d)} }

// until is how long after now the deadline i passes; zero or less when it has.
func (i instant) until(now instant) time.Duration {
	return time.Duration(min(i.Mono-now.Mono, i.Boot-now.Boot))
}

func (i instant) passed(now instant) bool { return i.until(now) <= 0 }

// limits are until when a job may run: at Term it is sent SIGTERM, at Kill SIGKILL.
type limits struct {
	Term instant `json:"term"`
	Kill instant `json:"kill"`
}

// An order goes from the supervisor to its guardian, as JSON over a pipe. The end of the
// pipe means that the supervisor is dead.
type order struct {
	Limits *limits        `json:"limits,omitempty"` // from now on
	Signal syscall.Signal `json:"signal,omitempty"` // to be passed on to the job
}

// The program's own exit codes; the guardian's is the job's, and the supervisor's the guardian's.
const (
	codeFailed  = 1
	codeUsage   = 2
	codeLost    = 75 // EX_TEMPFAIL of sysexits.h
	codeCannot  = 126
	codeMissing = 127
	codeSignal  = 128 // plus the signal's number, as shells do
)
