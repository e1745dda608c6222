//go:build unix && !aix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// demoJob tells what it knows, and then that it is alive until it is killed.
const demoJob = `echo "JOB STARTS on $ZKRECIPE_ID with token $ZKRECIPE_TOKEN, as process $$; the lease runs until $ZKRECIPE_DEADLINE at first"
trap 'echo "job on $ZKRECIPE_ID was asked to stop (SIGTERM)"; exit 0' TERM
while :; do sleep 0.1; done`

// demo shows two singletons on one ensemble.
type demo struct {
	connect string
	begun   time.Time
	ctx     context.Context // nothing is done any more once it has ended
	fail    context.CancelCauseFunc
	players map[string]*exec.Cmd // the latest of each name
	running sync.WaitGroup       // the players, their jobs, and all that holds their output
	started chan string          // who has started the job
}

// stdout takes what is shown: the end of the singletons must not wait for the reader of a pipe.
var stdout = output.New(os.Stdout)

// demonstrate makes singletons lose the leadership in each way; it returns the exit code.
func demonstrate(connect string) int {
	d := &demo{connect: connect, begun: time.Now(), players: map[string]*exec.Cmd{}, started: make(chan string, 16)}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	d.ctx, d.fail = context.WithCancelCause(ctx)
	defer stdout.Finish()
	d.show()
	err := context.Cause(d.ctx)
	d.end()
	if err != nil {
		complain(fmt.Errorf("the demonstration has ended: %w", err))
		return codeFailed
	}
	return 0
}

func (d *demo) show() {
	d.say("Three servers in this process, and a singleton on each of two machines, alice and bob.")
	d.enter("alice")
	d.wait("alice")
	d.enter("bob")
	d.pause()
	d.say("alice's supervisor is killed (kill -9): its guardian ends the job, and bob's starts when the lease is over.")
	d.signal("alice", syscall.SIGKILL)
	d.wait("bob")
	d.say("alice is started again. Then bob's supervisor is stopped (SIGSTOP): its guardian ends the job in time.")
	d.enter("alice")
	d.pause()
	d.signal("bob", syscall.SIGSTOP)
	d.wait("alice")
	d.say("bob goes on (SIGCONT), finds that the leadership was lost, and enters the line again.")
	d.signal("bob", syscall.SIGCONT)
	d.pause()
	d.say("alice gets SIGTERM: so does the job, and bob's starts. Try your own: singleton -zk ... -path /job -- command")
	d.signal("alice", syscall.SIGTERM)
	d.pause()
}

func (d *demo) say(text string) {
	if d.ctx.Err() == nil {
		d.line("> " + text)
	}
}

func (d *demo) line(text string) {
	fmt.Fprintf(stdout, "%6.3f s  %s\n", time.Since(d.begun).Seconds(), text)
}

// enter starts a singleton whose lines, and whose job's, are shown.
func (d *demo) enter(id string) {
	if d.ctx.Err() != nil {
		return
	}
	// The session outlasts the lease by far: what it takes until the job runs elsewhere is the lease.
	cmd := exec.Command(self(), "-zk", d.connect, "-path", "/demo", "-id", id, "-timeout", "10s", "-lease", "2s", "-restart", "--", "sh", "-c", demoJob)
	out, err := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err == nil {
		// Ctrl-C is for the demonstration, which then ends them all; its own end ends them, too.
		err = tether.Start(cmd)
	}
	if err != nil {
		d.fail(err)
		return
	}
	d.players[id] = cmd
	d.running.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			d.line(lines.Text())
			if strings.HasPrefix(lines.Text(), "JOB STARTS") {
				d.started <- id
			}
		}
		_ = cmd.Wait()
	})
}

// wait waits until the job has been started on id.
func (d *demo) wait(id string) {
	for late := time.After(30 * time.Second); ; {
		select {
		case who := <-d.started:
			if who == id {
				return
			}
		case <-late:
			d.fail(errors.New(id + " has not started the job for 30s"))
		case <-d.ctx.Done():
			return
		}
	}
}

// pause is for the eye.
func (d *demo) pause() {
	select {
	case <-time.After(1500 * time.Millisecond):
	case <-d.ctx.Done():
	}
}

// signal fails for one that is gone, which is as good.
func (d *demo) signal(id string, s os.Signal) {
	if player := d.players[id]; player != nil {
		_ = player.Process.Signal(s)
	}
}

// end ends all singletons and waits until their jobs are gone, too.
func (d *demo) end() {
	for id := range d.players {
		d.signal(id, syscall.SIGCONT)
		d.signal(id, syscall.SIGTERM)
	}
	d.running.Wait()
}
