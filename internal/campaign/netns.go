//go:build linux

package campaign

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

// namespace is a network namespace without a name. It lives as long as its file is open or a
// process is in it.
type namespace struct {
	file   *os.File
	inside chan func() // for the thread of this process that is in it
}

// newNamespace makes a namespace with a working loopback.
func newNamespace(ctx context.Context) (*namespace, error) {
	made := make(chan error)
	ns := &namespace{inside: make(chan func())}
	go func() { // ends with close
		// The thread is never unlocked, so it ends with this goroutine and nobody else runs in the
		// new namespace.
		runtime.LockOSThread()
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		if err == nil {
			ns.file, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
		for do := range ns.inside {
			do()
		}
	}()
	if err := <-made; err != nil {
		close(ns.inside)
		return nil, fmt.Errorf("new network namespace: %w", err)
	}
	return ns, ns.run(ctx, "ip", "link", "set", "lo", "up")
}

// path names the namespace to other processes, as long as this one lives.
func (n *namespace) path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd())
}

// wrap returns the command line that runs argv in the namespace. It execs, so that the process is
// the command.
func (n *namespace) wrap(argv ...string) []string {
	return append([]string{"nsenter", "--net=" + n.path(), "--"}, argv...)
}

func (n *namespace) run(ctx context.Context, argv ...string) error {
	return run(ctx, n.wrap(argv...)...)
}

// dial connects with an address as seen from inside. A socket belongs to the namespace of the
// thread that makes it, and the address must be one that needs no look-up, so that no other
// goroutine does.
func (n *namespace) dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	done := make(chan struct{})
	n.inside <- func() {
		defer close(done)
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", addr)
	}
	<-done
	return conn, err
}

func (n *namespace) close() error {
	close(n.inside)
	return n.file.Close()
}

// run runs a command to its end; the error holds what it said.
func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Direction is one of the two ways of a link, or both.
type Direction int

// The directions, as seen by the host whose link it is.
const (
	In Direction = 1 << iota
	Out
	Both = In | Out
)

// String returns the direction in words.
func (d Direction) String() string {
	return enum.Name(d, []string{In: "inbound", Out: "outbound", Both: "both ways"})
}

// rule adds an iptables rule for each direction: which packets are meant and what becomes of them.
// The peer, if any, is the address at the other end.
func (n *namespace) rule(ctx context.Context, dir Direction, device, peer string, what ...string) error {
	for _, chain := range []struct {
		dir                Direction
		name, device, peer string
	}{{In, "INPUT", "-i", "-s"}, {Out, "OUTPUT", "-o", "-d"}} {
		if dir&chain.dir == 0 {
			continue
		}
		argv := []string{"iptables", "-w", "-A", chain.name, chain.device, device}
		if peer != "" {
			argv = append(argv, chain.peer, peer)
		}
		if err := n.run(ctx, append(argv, what...)...); err != nil {
			return err
		}
	}
	return nil
}

// mend takes all rules back.
func (n *namespace) mend(ctx context.Context) error { return n.run(ctx, "iptables", "-w", "-F") }
