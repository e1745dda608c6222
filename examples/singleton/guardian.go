//go:build unix && !aix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/tether"
)

const (
	guardianName = "singleton-guardian"  // the guardian's argv[0]; the job's command follows
	ordersFD     = 3                     // where the guardian reads its orders
	glance       = 50 * time.Millisecond // between two looks at the clock: timers stand still while the machine is suspended
)

// guardian is the parent of a job and lives as long: it ends the job when its time is over or the
// supervisor is dead. It has one goroutine, and one that reads its orders.
type guardian struct {
	limits
	pid  int  // of the command, and of its process group
	told bool // SIGTERM was sent because the time is over
}

// guard is the guardian process. It returns the exit code.
func guard(command []string) int {
	tether.Adopt()
	catch()                             // a signal to the guardian is not for the job: the supervisor decides
	children := make(chan os.Signal, 1) // one is enough: all are reaped at once
	signal.Notify(children, syscall.SIGCHLD)
	syscall.CloseOnExec(ordersFD)
	orders := readOrders(os.NewFile(ordersFD, "orders"))
	first, ok := <-orders
	if !ok || now() >= first.Term { // somebody was paused on the way here
		return codeLost
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := tether.Start(cmd); err != nil {
		return complain(startCode(err), fmt.Errorf("cannot start the job: %w", err))
	}
	g := &guardian{limits: first.limits, pid: cmd.Process.Pid} // reap waits for it
	code := g.watch(orders, children)
	sweep(g.pid, nil)
	return code
}

// startCode is the exit code for a command that cannot be started.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return codeMissing
	}
	return codeCannot
}

// readOrders delivers orders, and closes the channel when the supervisor is dead. Its goroutine
// ends then, or with the process.
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

// watch returns the exit code when the command has ended, or has to be killed.
func (g *guardian) watch(orders <-chan order, children <-chan os.Signal) (code int) {
	for {
		ended, _ := reap()
		status, over := ended[g.pid]
		now := now()
		switch {
		case over && !g.told && status.Signaled():
			return codeSignal + int(status.Signal())
		case over && !g.told:
			return status.ExitStatus()
		case over || now >= g.Kill:
			return codeLost
		case now >= g.Term && !g.told:
			g.told = true
			_ = syscall.Kill(-g.pid, syscall.SIGTERM) // fails when nobody is left in the group
			complain(codeLost, errors.New("the job's time is over: it is asked to stop"))
		}
		next := g.Term
		if g.told {
			next = g.Kill
		}
		select {
		case o, ok := <-orders:
			if !ok { // nobody extends the lease any more, but it still runs
				orders, g.Term = nil, 0
				continue
			}
			if o.Signal != 0 {
				_ = syscall.Kill(-g.pid, o.Signal) // fails when nobody is left in the group
			}
			if g.told { // a lease that has lapsed is not revived
				o.Kill = min(o.Kill, g.Kill)
			}
			g.limits = o.limits
		case <-children:
		case <-time.After(min(glance, next-now)):
		}
	}
}

// sweep kills a process group (unless it is 0) and all descendants of this process but the spared
// children, and returns when they are gone: orphans become children of ours (see tether.Adopt), so
// that nobody is missed in the end. The group's number is in use until its last member was reaped,
// and given to another group only much later, after all other numbers.
func sweep(group int, spared map[int]bool) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := group != 0 && !errors.Is(syscall.Kill(-group, syscall.SIGKILL), syscall.ESRCH)
		left = killChildren(os.Getpid(), spared) || left
		// A list of children may miss one that is being orphaned at this moment.
		_, childless := reap()
		if !left && (childless || len(spared) > 0) {
			return
		}
		time.Sleep(pause) // nobody tells when a group has become empty
	}
}

// killChildren kills the children of a process but the spared ones, and theirs. It reports whether
// there were any.
func killChildren(parent int, spared map[int]bool) (any bool) {
	for _, pid := range tether.Children(parent) {
		if !spared[pid] {
			any = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails for one who is gone or not ours to kill
			killChildren(pid, spared)
		}
	}
	return any
}

// reap collects all children that have ended, orphans of the job among them, and reports whether no
// child is left.
func reap() (ended map[int]syscall.WaitStatus, childless bool) {
	ended = map[int]syscall.WaitStatus{}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return ended, true // ECHILD
		case pid <= 0:
			return ended, false
		default:
			ended[pid] = status
		}
	}
}
