//go:build unix && !aix

// Singleton runs a command only while this machine leads an election, as "consul lock" does, but so
// that the command is dead before it can run anywhere else:
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
// grows while jobs are short-lived. The job is the command and all that it starts: what is left
// when the command itself has ended is killed.
//
// The job may run as long as the lease is extended. When that fails, its process group gets
// SIGTERM, and SIGKILL after -grace, both before another may lead. -grace is an eighth of -lease by
// default and at most three sixteenths. A job that is slow to stop wants a longer -lease, which
// must be the same for all of a path. If another may lead soon, because the candidate's znode was
// deleted or its session is over, the job gets SIGKILL at once.
//
// The job is the child of a guardian, a second process of this program, which is told each new
// deadline over a pipe. The guardian ends the job also when this process is stopped (SIGSTOP,
// Ctrl-Z). When this process dies (kill -9, out of memory), the guardian sends SIGTERM at once and
// SIGKILL by the deadline. When the guardian dies, the kernel kills the command, and this process
// the rest. Neither waits for the reader of its stderr: what is not read is dropped.
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
// is no restart. In line, the first four make the program leave within 5 s. A second one ends it at
// once.
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
//   - both are killed at once: then the kernel kills the command, but not what it has started. A
//     supervisor that kills whole cgroups, as systemd does, covers that;
//   - the job hands its work to somebody else (systemd-run, at, docker, ssh), or becomes another
//     user's by setuid. On Linux a job that changes its process group or session, or becomes a
//     daemon, is caught by SIGKILL, but not asked by SIGTERM; elsewhere it is not caught, and the
//     deadline is compared with the wall clock;
//   - the kernel does not get to kill it in time: a process in uninterruptible sleep, a machine
//     without any CPU time for the guardian for a sixteenth of -lease;
//   - somebody deletes the election's path and all in it by hand (see package election).
//
// Against all of these there is the token: send it along to what others write to as well, with each
// write and with each read that a write depends on.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
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
	case child.Is():
		program = play
	}
	code := program(os.Args[1:])
	stderr.Finish()
	os.Exit(code)
}

// stderr takes all that is told while a job runs: a kill must not wait for the reader of a pipe.
var stderr = example.NewWriter(os.Stderr)

// complain tells of an error. It returns the exit code for it.
func complain(code int, err error) int {
	fmt.Fprintln(stderr, "singleton:", err)
	return code
}

// options is the example with its own flags.
type options struct {
	*example.Program
	id               string
	grace            time.Duration
	restart, verbose bool
	command          []string
}

// run is the program that the user starts; it returns the exit code.
func run(args []string) (code int) {
	p := &options{Program: example.New("singleton", "/zkrecipe/singleton", 15*time.Second, session.DefaultLease)}
	f := p.Flags
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: singleton -zk host:port,... -path /znode [flags] -- command [arguments]")
		f.PrintDefaults()
	}
	f.StringVar(&p.id, "id", "", "this candidate's `name` (default host name and process id)")
	f.DurationVar(&p.grace, "grace", 0, "from SIGTERM to SIGKILL when the leadership is lost (default an eighth of -lease)")
	f.BoolVar(&p.restart, "restart", false, "enter the line again when the command has ended")
	f.BoolVar(&p.verbose, "v", false, "log to stderr")
	err := p.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(stderr)
		f.Usage()
		return 0
	}
	if err = cmp.Or(err, p.check()); err != nil {
		return complain(codeUsage, err)
	}
	err = p.Run(context.Background(), func(ctx context.Context) error {
		code = p.supervise()
		return nil
	})
	if err != nil {
		return complain(codeFailed, err)
	}
	return code
}

// check leaves to the library what it checks.
func (p *options) check() error {
	p.id, p.command = example.ID(p.id), p.Flags.Args()
	if len(p.command) == 0 && p.Connect != "" {
		return errors.New("no command; want -- and a command after the flags")
	}
	if p.Session.Lease <= 0 {
		return fmt.Errorf("-lease is %v; want a positive duration such as 4s", p.Session.Lease)
	}
	if longest := 3 * p.Session.Lease / 16; p.grace < 0 || p.grace > longest {
		return fmt.Errorf("-grace is %v; want 0 to three sixteenths of -lease, which are %v of %v: "+
			"SIGTERM and SIGKILL have to fit into the lease", p.grace, longest, p.Session.Lease)
	}
	p.grace = cmp.Or(p.grace, p.Session.Lease/8)
	return nil
}

// supervise runs the command, or a demonstration. It returns the exit code.
func (p *options) supervise() int {
	if len(p.command) == 0 {
		return demonstrate(p.Connect)
	}
	if _, err := exec.LookPath(p.command[0]); err != nil {
		return complain(startCode(err), err)
	}
	level := slog.LevelWarn
	if p.verbose {
		level = slog.LevelInfo
	}
	p.Session.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	s := &supervisor{options: p, signals: catch(), last: !p.restart}
	var err error
	if s.client, err = p.Client(); err == nil {
		s.election, err = election.New(s.client, p.Path, election.Config{ID: p.id, StopBefore: p.stopBefore()})
	}
	if err != nil {
		return complain(codeUsage, err)
	}
	return s.run()
}

// demoJob tells what it knows, and then that it is alive until it is killed.
const demoJob = `echo "JOB STARTS on $ZKRECIPE_ID with token $ZKRECIPE_TOKEN, as process $$; the lease runs until $ZKRECIPE_DEADLINE at first"
trap 'echo "job on $ZKRECIPE_ID was asked to stop (SIGTERM)"; exit 0' TERM
while :; do sleep 0.1; done`

// play is a singleton in a demonstration: it gets SIGTERM when that ends. It returns the exit code.
func play(args []string) (code int) {
	os.Stderr, stderr = os.Stdout, example.NewWriter(os.Stdout) // the demonstration shows all
	_ = child.Run(context.Background(), func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGTERM) })
		code = run(append(args, "--", "sh", "-c", demoJob))
		return nil
	})
	return code
}

// show shows two singletons on one ensemble.
type show struct {
	*child.Group        // its lock guards on
	on           string // where the job was started last
}

// demonstrate makes singletons lose the leadership in each way; it returns the exit code.
func demonstrate(connect string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer example.Stdout.Finish()
	// The session outlasts the lease by far: what it takes until the job runs elsewhere is the
	// lease.
	args := []string{"-zk", connect, "-path", "/demo", "-timeout", "10s", "-lease", "2s", "-restart"}
	s := &show{}
	s.Group = child.NewGroup(args, func(id string, line []byte) error { // of a singleton or of its job
		if strings.HasPrefix(string(line), "JOB STARTS") {
			s.on = id
		}
		example.Say("%s", line)
		return nil
	})
	bounded, cancel := context.WithTimeout(ctx, 2*time.Minute) // against hanging: it takes some seconds
	defer cancel()
	err := s.perform(bounded)
	_ = s.Stop("", "alice") // one that is in line when it gets SIGTERM does not exit with 0
	if err != nil {
		return complain(codeFailed, fmt.Errorf("the demonstration has ended: %w", err))
	}
	return 0
}

// perform says what it does, does it, and waits until the job is started on one of the two.
func (s *show) perform(ctx context.Context) error {
	for _, step := range []struct {
		say string
		do  func()
		on  string // "" if the job stays where it is
	}{
		{"Three servers in this process, and two singletons, as if on two machines. alice is the first, and starts the job.", func() { s.Start("alice") }, "alice"},
		{"bob stands in line for it.", func() { s.Start("bob") }, ""},
		{"alice's supervisor is killed (kill -9): its guardian ends the job, and bob's starts when the lease is over.",
			func() { s.Kill("alice") }, "bob"},
		{"alice is started again, and stands in line.", func() { s.Start("alice") }, ""},
		{"bob's supervisor is stopped (SIGSTOP): its guardian ends the job in time.", func() { s.Child("bob").Pause() }, "alice"},
		{"bob goes on (SIGCONT), finds that the leadership was lost, and enters the line again.", func() { s.Child("bob").Resume() }, ""},
	} {
		example.Say("> %s", step.say)
		step.do()
		var err error
		if step.on == "" {
			err = example.Sleep(ctx, 1500*time.Millisecond) // for the eye
		} else {
			err = s.Until(ctx, "job on "+step.on, func() bool { return s.on == step.on })
		}
		if err != nil {
			return err
		}
	}
	example.Say("> alice gets SIGTERM: so does the job. Try your own: singleton -zk ... -path /job -- command")
	return nil
}
