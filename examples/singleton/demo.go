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
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

// demoJob tells what it knows, and then that it is alive until it is killed.
const demoJob = `echo "JOB STARTS on $ZKRECIPE_ID with token $ZKRECIPE_TOKEN, as process $$; the lease runs until $ZKRECIPE_DEADLINE at first"
trap 'echo "job on $ZKRECIPE_ID was asked to stop (SIGTERM)"; exit 0' TERM
while :; do sleep 0.1; done`

// play is a singleton in a demonstration: it gets SIGTERM when that ends. It returns the exit code.
func play(args []string) (code int) {
	os.Stderr, stderr = os.Stdout, example.NewWriter(os.Stdout) // the demonstration shows all
	child.Main(func(ctx context.Context) error {
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
	// The session outlasts the lease by far: what it takes until the job runs elsewhere is the lease.
	args := []string{"-zk", connect, "-path", "/demo", "-timeout", "10s", "-lease", "2s", "-restart"}
	s := &show{}
	s.Group = child.NewGroup(args, s.tell)
	err := s.perform(ctx)
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
		if err := s.await(ctx, step.on); err != nil {
			return err
		}
	}
	example.Say("> alice gets SIGTERM: so does the job. Try your own: singleton -zk ... -path /job -- command")
	return nil
}

// await waits until the job has been started on id, or for the eye if that is "".
func (s *show) await(ctx context.Context, id string) error {
	if id == "" {
		return example.Sleep(ctx, 1500*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.Until(ctx, "job on "+id, func() bool { return s.on == id })
}

// tell takes in a line of a singleton or of its job.
func (s *show) tell(id string, line []byte) error {
	if strings.HasPrefix(string(line), "JOB STARTS") {
		s.on = id
	}
	example.Say("%s", line)
	return nil
}
