//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// The session outlasts the lease by far: what it takes until the job runs elsewhere is the lease.
const demoTimeout, demoLease = "10s", "2s"

// demoJob tells what it knows, and then that it is alive until it is killed.
const demoJob = `echo "JOB STARTS on $ZKRECIPE_ID with token $ZKRECIPE_TOKEN, as process $$; the lease runs until $ZKRECIPE_DEADLINE at first"
trap 'echo "job on $ZKRECIPE_ID was asked to stop (SIGTERM)"; exit 0' TERM
while :; do sleep 0.1; done`

// demo shows two singletons on one ensemble.
type demo struct {
	zk      string
	begun   time.Time
	players []*exec.Cmd
	started chan string // who has started the job
	stop    chan os.Signal
}

// demonstrate makes singletons lose the leadership in each way; it returns the exit code.
func demonstrate(o *options) int {
	d := &demo{zk: o.zk, begun: time.Now(), started: make(chan string, 16), stop: make(chan os.Signal, 1)}
	signal.Notify(d.stop, syscall.SIGINT, syscall.SIGTERM)
	defer stdout.Finish()
	defer d.end()
	if err := d.show(); err != nil {
		complain(err)
		return codeFailed
	}
	return 0
}

func (d *demo) show() error {
	d.say("Three servers in this process, and a singleton on each of two machines, alice and bob.")
	alice, err := d.enter("alice")
	if err == nil {
		err = d.wait("alice")
	}
	if err != nil {
		return err
	}
	bob, err := d.enter("bob")
	if err != nil {
		return err
	}
	if err := d.pause(); err != nil {
		return err
	}
	d.say("alice's supervisor is killed (kill -9): its guardian ends the job, and bob's starts when the lease is over.")
	_ = alice.Process.Kill()
	if err := d.wait("bob"); err != nil {
		return err
	}
	d.say("alice is started again. Then bob's supervisor is stopped (SIGSTOP): its guardian ends the job in time.")
	if alice, err = d.enter("alice"); err != nil {
		return err
	}
	if err := d.pause(); err != nil {
		return err
	}
	_ = bob.Process.Signal(syscall.SIGSTOP)
	if err := d.wait("alice"); err != nil {
		return err
	}
	d.say("bob goes on (SIGCONT), finds that the leadership was lost, and exits with %d.", codeLost)
	_ = bob.Process.Signal(syscall.SIGCONT)
	if err := d.pause(); err != nil {
		return err
	}
	d.say("alice gets SIGTERM: so does the job. Try your own: singleton -zk ... -path /job -- command")
	_ = alice.Process.Signal(syscall.SIGTERM)
	return d.pause()
}

func (d *demo) say(format string, args ...any) { d.line("> " + fmt.Sprintf(format, args...)) }

func (d *demo) line(text string) {
	fmt.Fprintf(stdout, "%6.3f s  %s\n", time.Since(d.begun).Seconds(), text)
}

// stdout takes what is shown: the end of the singletons must not wait for the reader of a pipe.
var stdout = output.New(os.Stdout)

// enter starts a singleton whose lines, and whose job's, are shown.
func (d *demo) enter(id string) (*exec.Cmd, error) {
	exe, err := self()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-zk", d.zk, "-path", "/demo", "-id", id, "-timeout", demoTimeout, "-lease", demoLease, "--", "sh", "-c", demoJob)
	out, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	// Ctrl-C is for the demonstration, which then ends them all; its own end ends them, too.
	if err := tether.Start(cmd); err != nil {
		return nil, err
	}
	go func() { // ends with the singleton, for which end waits
		for lines := bufio.NewScanner(out); lines.Scan(); {
			d.line(lines.Text())
			if strings.HasPrefix(lines.Text(), "JOB STARTS") {
				d.started <- id
			}
		}
	}()
	d.players = append(d.players, cmd)
	return cmd, nil
}

// wait waits until the job has been started on id.
func (d *demo) wait(id string) error {
	for late := time.After(30 * time.Second); ; {
		select {
		case who := <-d.started:
			if who == id {
				return nil
			}
		case <-late:
			return fmt.Errorf("%s has not started the job for 30s", id)
		case s := <-d.stop:
			return fmt.Errorf("the demonstration has ended: %v", s)
		}
	}
}

// pause is for the eye.
func (d *demo) pause() error {
	select {
	case <-time.After(1500 * time.Millisecond):
		return nil
	case s := <-d.stop:
		return fmt.Errorf("the demonstration has ended: %v", s)
	}
}

// end ends all singletons and waits until their jobs are gone, too.
func (d *demo) end() {
	for _, p := range d.players {
		_ = p.Process.Signal(syscall.SIGCONT)
		_ = p.Process.Signal(syscall.SIGTERM) // either fails for one that is gone
	}
	for _, p := range d.players {
		_ = p.Wait() // returns when nobody holds its output any more
	}
}
