//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
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
	latest  map[string]*exec.Cmd // of each name
	started chan string          // who has started the job
	ended   chan *exec.Cmd       // with its job, and all that holds its output
	stop    chan os.Signal
}

// demonstrate makes singletons lose the leadership in each way; it returns the exit code.
func demonstrate(o *options) int {
	d := &demo{
		zk: o.zk, begun: time.Now(), latest: map[string]*exec.Cmd{},
		started: make(chan string, 16), ended: make(chan *exec.Cmd), stop: make(chan os.Signal, 1),
	}
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
	if err := d.enter("alice"); err != nil {
		return err
	}
	if err := d.wait("alice"); err != nil {
		return err
	}
	if err := d.enter("bob"); err != nil {
		return err
	}
	if err := d.pause(); err != nil {
		return err
	}
	d.say("alice's supervisor is killed (kill -9): its guardian ends the job, and bob's starts when the lease is over.")
	d.signal("alice", syscall.SIGKILL)
	if err := d.wait("bob"); err != nil {
		return err
	}
	d.say("alice is started again. Then bob's supervisor is stopped (SIGSTOP): its guardian ends the job in time.")
	if err := d.enter("alice"); err != nil {
		return err
	}
	if err := d.pause(); err != nil {
		return err
	}
	d.signal("bob", syscall.SIGSTOP)
	if err := d.wait("alice"); err != nil {
		return err
	}
	d.say("bob goes on (SIGCONT), finds that the leadership was lost, and exits with %d.", codeLost)
	d.signal("bob", syscall.SIGCONT)
	if err := d.pause(); err != nil {
		return err
	}
	d.say("alice gets SIGTERM: so does the job. Try your own: singleton -zk ... -path /job -- command")
	d.signal("alice", syscall.SIGTERM)
	return d.pause()
}

// signal fails for one that is gone, which is as good.
func (d *demo) signal(id string, s os.Signal) { _ = d.latest[id].Process.Signal(s) }

func (d *demo) say(format string, args ...any) { d.line("> " + fmt.Sprintf(format, args...)) }

func (d *demo) line(text string) {
	fmt.Fprintf(stdout, "%6.3f s  %s\n", time.Since(d.begun).Seconds(), text)
}

// stdout takes what is shown: the end of the singletons must not wait for the reader of a pipe.
var stdout = output.New(os.Stdout)

// enter starts a singleton whose lines, and whose job's, are shown.
func (d *demo) enter(id string) error {
	exe, err := self()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, "-zk", d.zk, "-path", "/demo", "-id", id, "-timeout", demoTimeout, "-lease", demoLease, "--", "sh", "-c", demoJob)
	out, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	// Ctrl-C is for the demonstration, which then ends them all; its own end ends them, too.
	if err := tether.Start(cmd); err != nil {
		return err
	}
	go func() { // ends with the singleton, for which end waits
		for lines := bufio.NewScanner(out); lines.Scan(); {
			d.line(lines.Text())
			if strings.HasPrefix(lines.Text(), "JOB STARTS") {
				d.started <- id
			}
		}
	}()
	go func() { // ends with the singleton, for which end waits
		_ = cmd.Wait()
		d.ended <- cmd
	}()
	d.players, d.latest[id] = append(d.players, cmd), cmd
	return nil
}

// wait waits until the job has been started on id.
func (d *demo) wait(id string) error {
	for late := time.After(30 * time.Second); ; {
		select {
		case who := <-d.started:
			if who == id {
				return nil
			}
		case cmd := <-d.ended:
			d.forget(cmd)
			if cmd != d.latest[id] {
				continue
			}
			d.say("%s has ended: %v. It is started again, as a service manager does.", id, cmd.ProcessState)
			if err := d.enter(id); err != nil {
				return err
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
	for over := time.After(1500 * time.Millisecond); ; {
		select {
		case <-over:
			return nil
		case cmd := <-d.ended:
			d.forget(cmd)
		case s := <-d.stop:
			return fmt.Errorf("the demonstration has ended: %v", s)
		}
	}
}

func (d *demo) forget(ended *exec.Cmd) {
	d.players = slices.DeleteFunc(d.players, func(p *exec.Cmd) bool { return p == ended })
}

// end ends all singletons and waits until their jobs are gone, too.
func (d *demo) end() {
	for _, p := range d.players {
		_ = p.Process.Signal(syscall.SIGCONT)
		_ = p.Process.Signal(syscall.SIGTERM) // either fails for one that is gone
	}
	for len(d.players) > 0 {
		d.forget(<-d.ended)
	}
}
