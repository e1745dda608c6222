//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// guardianName is the guardian's argv[0]; the job's command follows.
const guardianName = "singleton-guardian"

// ordersFD is where the guardian reads its orders.
const ordersFD = 3

// glance is how often the guardian looks at the clocks at least: its timers stand still while
// the machine is suspended.
const glance = 50 * time.Millisecond

// guardian is the parent of a job and lives as long: it ends the job when its time is over
// or the supervisor is dead. It has one goroutine, and one that reads its orders.
type guardian struct {
	limits limits
	pid    int // of the command, and of its process group
	status syscall.WaitStatus
	ended  bool // the command has, with status
	told   bool // SIGTERM was sent because the leadership is over
}

// guard is the guardian process; it returns its exit code.
func guard(command []string) int {
	runtime.LockOSThread() // the command is killed when the thread that started it ends
	becomeSubreaper()
	outliveReaders()
	// A signal to the guardian is not for the job: the supervisor decides.
	swallowed := make(chan os.Signal, 1)
	signal.Notify(swallowed, caught()...)
	children := make(chan os.Signal, 1) // one is enough: all are reaped at once
	signal.Notify(children, syscall.SIGCHLD)
	syscall.CloseOnExec(ordersFD)
	orders := readOrders(os.NewFile(ordersFD, "orders"))
	first, ok := <-orders
	if !ok || first.Limits == nil {
		return codeLost
	}
	g := &guardian{limits: *first.Limits}
	if g.limits.Term.passed(now()) {
		return codeLost // somebody was paused on the way here
	}
	if err := g.start(command); err != nil {
		complain(fmt.Errorf("cannot start the job: %w", err))
		return startCode(err)
	}
	return g.watch(orders, children)
}

// startCode is the exit code for a command that cannot be started.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return codeMissing
	}
	return codeCannot
}

func (g *guardian) start(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return err
	}
	g.pid = cmd.Process.Pid
	return nil // it is waited for by reap
}

// readOrders delivers orders, and closes the channel when the supervisor is dead. Its
// goroutine ends then, or with the process.
func readOrders(from *os.File) <-chan order {
	orders := make(chan order)
	go func() {
		defer close(orders)
		for d := json.NewDecoder(from); ; {
			var o order
			if d.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	return orders
}

// watch returns when nothing of the job is left.
func (g *guardian) watch(orders <-chan order, children <-chan os.Signal) int {
	for !g.reap() {
		now := now()
		if g.limits.Kill.passed(now) {
			break
		}
		if !g.told && g.limits.Term.passed(now) {
			g.told = true
			g.send(syscall.SIGTERM)
			if orders != nil && g.limits.Term != (instant{}) { // the supervisor has not said so
				complain(errors.New("the lease was not extended in time: the job is asked to stop"))
			}
		}
		next := g.limits.Kill
		if !g.told {
			next = g.limits.Term
		}
		select {
		case o, ok := <-orders:
			if !ok { // nobody extends the lease any more, but it still runs
				orders, g.limits.Term = nil, instant{}
				continue
			}
			g.obey(o)
		case <-children:
		case <-time.After(min(glance, next.until(now))):
		}
	}
	code := g.code()
	sweep(g.pid, nil, g.note)
	return code
}

func (g *guardian) obey(o order) {
	if o.Signal != 0 {
		g.send(o.Signal)
	}
	if o.Limits == nil {
		return
	}
	if g.told && o.Limits.Kill.until(g.limits.Kill) > 0 {
		return // a lease that has lapsed is not revived
	}
	g.limits = *o.Limits
}

// send signals the job's process group. It fails when nobody is in it any more.
func (g *guardian) send(s syscall.Signal) { _ = syscall.Kill(-g.pid, s) }

// code is the guardian's exit code.
func (g *guardian) code() int {
	switch {
	case g.told || !g.ended:
		return codeLost
	case g.status.Signaled():
		return codeSignal + int(g.status.Signal())
	default:
		return g.status.ExitStatus()
	}
}

// reap takes note of the command's end, and reports whether it has come.
func (g *guardian) reap() bool {
	reap(g.note)
	return g.ended
}

func (g *guardian) note(pid int, status syscall.WaitStatus) {
	if pid == g.pid {
		g.ended, g.status = true, status
	}
}

// reap collects all children that have ended, orphans of the job among them, and
// reports whether no child is left.
func reap(note func(pid int, status syscall.WaitStatus)) (childless bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return true // ECHILD
		case pid <= 0:
			return false
		default:
			note(pid, status)
		}
	}
}

// sweep kills a process group (unless it is 0) and all descendants of this process but the
// spared children, and returns when they are gone: orphans become children of ours (see
// becomeSubreaper), so that nobody is missed in the end. The group's number is in use until
// its last member was reaped, and given to another group only much later, after all other numbers.
func sweep(group int, spared map[int]bool, note func(int, syscall.WaitStatus)) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := group != 0 && !errors.Is(syscall.Kill(-group, syscall.SIGKILL), syscall.ESRCH)
		var kill func(parent int)
		kill = func(parent int) {
			for _, pid := range childrenOf(parent) {
				if !spared[pid] {
					left = true
					_ = syscall.Kill(pid, syscall.SIGKILL) // fails for one who is gone or not ours to kill
					kill(pid)
				}
			}
		}
		kill(os.Getpid())
		// A list of children may miss one that is being orphaned at this moment.
		if childless := reap(note); !left && (childless || len(spared) > 0) {
			return
		}
		time.Sleep(pause) // nobody tells when a group has become empty
	}
}
