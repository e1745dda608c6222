//go:build unix && !aix

// Singleton runs a command only while this machine leads an election, as "consul lock"
// does, but so that the command is dead before it can run anywhere else:
//
//	singleton -zk zk1:2181,zk2:2181 -path /cron -- ./job args      once, when elected
//	singleton -zk zk1:2181,zk2:2181 -path /app -restart -- ./app   as a service
//	go run ./examples/singleton                                    a demonstration
//	go run ./examples/singleton -- ./job args                      on servers in this process
//
// # What it does
//
// It stands in line until it is elected, runs the job, and gives the leadership away when the job
// has ended. Then it exits, or with -restart enters the line again, at its end, after a delay that
// grows while jobs are short-lived. The job is the command and all that it starts: what is left when
// the command itself has ended is killed.
//
// The job may run as long as the lease is extended. When that fails, its process group gets SIGTERM,
// and SIGKILL after -grace, both before the lease is over and hence before another may lead. -grace
// is an eighth of -lease by default and at most three sixteenths. A job that is slow to stop wants a
// longer -lease, which must be the same for all of a path. If another may lead soon, because the
// candidate's znode was deleted or its session is over, the job gets SIGKILL at once.
//
// The job is the child of a guardian, a second process of this program, which is told each new
// deadline over a pipe. The guardian ends the job also when this process is stopped (SIGSTOP,
// Ctrl-Z). When this process dies (kill -9, out of memory), the guardian sends SIGTERM at once and
// SIGKILL by the deadline. When the guardian dies, the kernel kills the command, and this process
// the rest. Neither waits for the reader of its stderr: what is not read is dropped in the end.
//
// # The job's environment
//
//	ZKRECIPE_TOKEN               fencing token: larger than that of all jobs before
//	ZKRECIPE_DEADLINE            when the lease ends at first, as 2006-01-02T15:04:05.000Z
//	ZKRECIPE_DEADLINE_MONOTONIC  the same in ns of CLOCK_MONOTONIC (Linux)
//	ZKRECIPE_DEADLINE_BOOTTIME   the same in ns of CLOCK_BOOTTIME (Linux)
//	ZKRECIPE_PATH, ZKRECIPE_ID   the election's znode, this candidate's name
//
// The job's stdin is this program's, or /dev/null where that is a terminal.
//
// # Signals
//
// While the job runs, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 are passed on to its
// process group. The leadership is kept until the job has ended. After one of the first three there
// is no restart. In line, the first four make the program leave within 5 s. A second one ends it at once.
//
// # Exit code
//
//	the job's, or 128+n if signal n killed it, or n came while waiting in line
//	1    refused by the ensemble, or the job cannot be supervised
//	2    flags that make no sense
//	75   the leadership was lost, so the job was ended (EX_TEMPFAIL: try again)
//	126  the command cannot be run
//	127  there is no such command
//
// # What is not covered
//
// Two jobs may run at a time if
//
//   - this process and its guardian are both stopped past the deadline, as by freezing their
//     container, or the host is suspended. The job is killed within 50 ms after that;
//   - both are killed at once: then the kernel kills the command, but not what it has started.
//     A supervisor that kills whole cgroups, as systemd does, covers that;
//   - the job hands its work to somebody else (systemd-run, at, docker, ssh), or becomes
//     another user's by setuid. On Linux a job that changes its process group or session, or
//     becomes a daemon, is caught by SIGKILL, but not asked by SIGTERM; elsewhere it is not
//     caught, and the deadline is compared with the civil clock;
//   - the kernel does not get to kill it in time: a process in uninterruptible sleep, a machine
//     without any CPU time for the guardian for a sixteenth of -lease;
//   - somebody deletes the election's path and all in it by hand (see package election).
//
// Against all of these there is the token: send it along to what others write to as well, with each
// write and with each read that a write depends on.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/session"
)

// The program's own exit codes; the guardian's is the job's, and the supervisor's the guardian's.
const (
	codeFailed  = 1
	codeUsage   = 2
	codeLost    = 75 // EX_TEMPFAIL of sysexits.h
	codeCannot  = 126
	codeMissing = 127
	codeSignal  = 128 // plus the signal's number, as shells do
	codeKilled  = -1  // of a guardian that a signal has killed
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

// complain tells of an error. It returns the exit code for it.
func complain(code int, err error) int {
	fmt.Fprintln(stderr, "singleton:", err)
	return code
}

// run is the program that the user starts; it returns the exit code.
func run(args []string) int {
	o, err := parse(args)
	if err != nil {
		return complain(codeUsage, err)
	}
	servers, err := zookeeper.Open(*o.zk, o.Timeout)
	if err != nil {
		return complain(codeFailed, err)
	}
	defer servers.Close()
	if len(o.command) == 0 {
		return demonstrate(servers.Connect)
	}
	if _, err := exec.LookPath(o.command[0]); err != nil {
		return complain(startCode(err), err)
	}
	s, err := newSupervisor(o, servers.Connect)
	if err != nil {
		return complain(codeUsage, err)
	}
	return s.run()
}

// options are the flags.
type options struct {
	zk                     *string
	path, id               string
	access                 flags.Access
	flags.Times            // -timeout and -lease
	grace                  time.Duration
	once, restart, verbose bool
	command                []string
}

// parse reads the flags and checks those that the library does not know. It ends the program after
// -help, and when a value cannot be read.
func parse(args []string) (*options, error) {
	o := &options{Times: flags.Times{Timeout: 15 * time.Second, Lease: session.DefaultLease}}
	f := flag.NewFlagSet("singleton", flag.ExitOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: singleton -zk host:port,... -path /znode [flags] -- command [arguments]")
		f.PrintDefaults()
	}
	o.zk = zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/singleton", "the election's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this candidate's `name` (default host name and process id)")
	o.access.Define(f)
	o.Times.Define(f)
	f.DurationVar(&o.grace, "grace", 0, "from SIGTERM to SIGKILL when the leadership is lost (default an eighth of -lease)")
	f.BoolVar(&o.once, "once", false, "run the command once, which is the default")
	f.BoolVar(&o.restart, "restart", false, "enter the line again when the command has ended")
	f.BoolVar(&o.verbose, "v", false, "log to stderr")
	_ = f.Parse(args)
	o.id, o.command = flags.ID(o.id), f.Args()
	return o, o.check(f)
}

func (o *options) check(f *flag.FlagSet) error {
	if o.once && o.restart {
		return errors.New("both -once and -restart; want one of them")
	}
	if len(o.command) == 0 && *o.zk != "" {
		return errors.New("no command; want -- and a command after the flags")
	}
	if err := o.Times.Check(f, time.Hour); err != nil {
		return err
	}
	if longest := 3 * o.Lease / 16; o.grace < 0 || o.grace > longest {
		return fmt.Errorf("-grace is %v; want 0 to three sixteenths of -lease, which are %v of %v: "+
			"SIGTERM and SIGKILL have to fit into the lease", o.grace, longest, o.Lease)
	}
	o.grace = cmp.Or(o.grace, o.Lease/8)
	return o.access.Check()
}
