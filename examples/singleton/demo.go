//go:build unix && !aix

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/demo"
	"github.com/zkrecipe/zkrecipe/examples/internal/output"
)

// demoJob tells what it knows, and then that it is alive until it is killed.
const demoJob = `echo "JOB STARTS on $ZKRECIPE_ID with token $ZKRECIPE_TOKEN, as process $$; the lease runs until $ZKRECIPE_DEADLINE at first"
trap 'echo "job on $ZKRECIPE_ID was asked to stop (SIGTERM)"; exit 0' TERM
while :; do sleep 0.1; done`

// asPlayer is the role of the singletons in a demonstration.
const asPlayer = "player"

// play is a singleton in a demonstration: it gets SIGTERM when that ends. It returns the exit code.
func play(args []string) (code int) {
	os.Stderr, stderr = os.Stdout, output.New(os.Stdout) // the demonstration shows all
	child.Main(func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGTERM) })
		code = run(append(args, "--", "sh", "-c", demoJob))
		return nil
	})
	return code
}

// show shows two singletons on one ensemble.
type show struct {
	*child.Group // its lock guards on
	begin        time.Time
	on           string // where the job was started last
}

// stdout takes what is shown: the end of the singletons must not wait for the reader of a pipe.
var stdout = output.New(os.Stdout)

// demonstrate makes singletons lose the leadership in each way; it returns the exit code.
func demonstrate(connect string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer stdout.Finish()
	// The session outlasts the lease by far: what it takes until the job runs elsewhere is the lease.
	args := []string{"-zk", connect, "-path", "/demo", "-timeout", "10s", "-lease", "2s", "-restart"}
	s := &show{begin: time.Now()}
	s.Group = child.NewGroup(asPlayer, args, s.tell)
	err := s.perform(ctx)
	_ = s.Stop("", "alice") // one that is in line when it gets SIGTERM does not exit with 0
	if err != nil {
		complain(fmt.Errorf("the demonstration has ended: %w", err))
		return codeFailed
	}
	return 0
}

func (s *show) perform(ctx context.Context) error {
	s.say("> Three servers in this process, and a singleton on each of two machines, alice and bob.")
	s.Start("alice")
	if err := s.starts(ctx, "alice"); err != nil {
		return err
	}
	s.Start("bob")
	if err := s.pause(ctx); err != nil {
		return err
	}
	s.say("> alice's supervisor is killed (kill -9): its guardian ends the job, and bob's starts when the lease is over.")
	s.Kill("alice")
	if err := s.starts(ctx, "bob"); err != nil {
		return err
	}
	s.say("> alice is started again. Then bob's supervisor is stopped (SIGSTOP): its guardian ends the job in time.")
	s.Start("alice")
	if err := s.pause(ctx); err != nil {
		return err
	}
	bob := s.Child("bob")
	bob.Pause()
	if err := s.starts(ctx, "alice"); err != nil {
		return err
	}
	s.say("> bob goes on (SIGCONT), finds that the leadership was lost, and enters the line again.")
	bob.Resume()
	if err := s.pause(ctx); err != nil {
		return err
	}
	s.say("> alice gets SIGTERM: so does the job. Try your own: singleton -zk ... -path /job -- command")
	return nil
}

// starts waits until the job has been started on id.
func (s *show) starts(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.Until(ctx, "job on "+id, func() bool { return s.on == id })
}

// pause is for the eye.
func (s *show) pause(ctx context.Context) error { return demo.Sleep(ctx, 1500*time.Millisecond) }

// tell takes in a line of a singleton or of its job.
func (s *show) tell(id string, line []byte) error {
	if strings.HasPrefix(string(line), "JOB STARTS") {
		s.on = id
	}
	s.say(string(line))
	return nil
}

func (s *show) say(text string) {
	fmt.Fprintf(stdout, "%6.3f s  %s\n", time.Since(s.begin).Seconds(), text)
}
