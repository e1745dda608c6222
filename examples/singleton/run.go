//go:build unix && !aix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

// The program's own exit codes; the guardian's is the job's, and the supervisor's the guardian's.
const (
	codeFailed  = 1
	codeUsage   = 2
	codeLost    = 75 // EX_TEMPFAIL of sysexits.h
	codeCannot  = 126
	codeMissing = 127
	codeSignal  = 128 // plus the signal's number, as shells do
)

func main() {
	program := run
	switch {
	case os.Args[0] == guardianName:
		program = guard
	case child.Role() == asPlayer:
		program = play
	}
	code := program(os.Args[1:])
	stderr.Finish()
	os.Exit(code)
}

// stderr takes all that is told while a job runs: a kill must not wait for the reader of a pipe.
var stderr = output.New(os.Stderr)

func complain(err error) { fmt.Fprintln(stderr, "singleton:", err) }

// run is the program that the user starts; it returns the exit code.
func run(args []string) int {
	o, err := parse(args)
	if err != nil {
		complain(err)
		return codeUsage
	}
	if len(o.command) > 0 {
		if _, err := exec.LookPath(o.command[0]); err != nil {
			complain(err)
			return startCode(err)
		}
	}
	servers, err := zookeeper.Open(o.zk, o.Timeout)
	if err != nil {
		complain(err)
		return codeFailed
	}
	defer servers.Close()
	if len(o.command) == 0 {
		return demonstrate(servers.Connect)
	}
	outliveReaders()
	s, err := newSupervisor(o, servers.Connect)
	if err != nil {
		complain(err)
		return codeUsage
	}
	return s.run()
}

// outliveReaders makes a write to a pipe that nobody holds an error. Without it that kills this
// process. A job is started with the signal as this process got it.
func outliveReaders() {
	if !signal.Ignored(syscall.SIGPIPE) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
}

// catch delivers the signals that are not left to themselves. What the program was told to
// ignore when it was started, as by nohup, stays ignored, for the job too.
func catch() <-chan os.Signal {
	caught := make(chan os.Signal, 16)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signal.Notify(caught, s)
		}
	}
	return caught
}
