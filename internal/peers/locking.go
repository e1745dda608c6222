package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// EtcdMutex is the Mutex of etcd's package concurrency, for [Hosts.Lock] alone.
const EtcdMutex LockKind = "concurrency.Mutex"

// Locked is what became of a [Load] on a lock or a semaphore. Each client takes it and gives it away
// again and again. While all permits are held, the one that has held its permit for longest releases
// it: at once after the last acquisition, or Rest later. There is no rest in the WarmUp.
type Locked struct {
	Acquired, Failed int
	// HandOver is the median time from the call that releases the lock to the return of the next
	// one that acquires it. With several processes it is 0.
	HandOver time.Duration
}

// Lock runs the clients of another library's lock or semaphore, in processes, until they have
// finished.
func (h *Hosts) Lock(ctx context.Context, k LockKind, l Load) (Locked, error) {
	argv, err := h.lockCommand(ctx, k, l)
	if err != nil {
		return Locked{}, err
	}
	locked, err := RunLock(ctx, argv, l)
	if err != nil {
		err = fmt.Errorf("%s: %w", k, err)
	}
	return locked, err
}

// RunLock runs the clients of a lock in processes of a program, until they have finished. The
// program gets the load as its last arguments, see [ParseLoad]. When its clients are connected, it
// says "ready", and waits for a line on stdin, which comes when all processes are ready. In the end
// it says what became of the load, as JSON.
func RunLock(ctx context.Context, argv []string, l Load) (sum Locked, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []*locker
	defer func() {
		if err != nil {
			cancel() // kills them
		}
		for _, p := range all {
			ended := p.cmd.Wait()
			if err == nil {
				err = ended
			}
			if err != nil && p.stderr.Len() > 0 {
				err = fmt.Errorf("%w\n%s", err, &p.stderr)
			}
		}
	}()
	for i := range max(1, l.Processes) {
		p, err := startLocker(ctx, append(slices.Clip(argv), l.args(i)...))
		if err != nil {
			return Locked{}, err
		}
		all = append(all, p)
	}
	for _, p := range all {
		if said, err := p.stdout.ReadString('\n'); said != "ready\n" {
			return Locked{}, fmt.Errorf("a process says %q, not that it is ready: %w", said, err)
		}
	}
	for _, p := range all {
		if _, err := fmt.Fprintln(p.stdin); err != nil {
			return Locked{}, err
		}
	}
	for _, p := range all {
		var one Locked
		said, err := p.stdout.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(said, &one)
		}
		if err != nil {
			return Locked{}, fmt.Errorf("a process says %q: %w", said, err)
		}
		sum.Acquired += one.Acquired
		sum.Failed += one.Failed
		if len(all) == 1 {
			sum.HandOver = one.HandOver
		}
	}
	return sum, nil
}

// args is what one of the processes is told: like clients of one process, they share the servers.
func (l Load) args(process int) []string {
	servers := strings.Split(l.Connect, ",")
	first := process % len(servers)
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []string{
		strings.Join(slices.Concat(servers[first:], servers[:first]), ","), l.Path, strconv.Itoa(l.Clients),
		ms(l.For), ms(l.WarmUp), ms(l.Rest), strconv.Itoa(max(1, l.Permits)),
	}
}

// ParseLoad reads what [RunLock] tells each of its processes.
func ParseLoad(args []string) (l Load, err error) {
	if len(args) != 7 {
		return l, fmt.Errorf("%q: want 7 arguments of a load", args)
	}
	l.Connect, l.Path = args[0], args[1]
	var length, warmUp, rest int // ms
	_, err = fmt.Sscan(strings.Join(args[2:], " "), &l.Clients, &length, &warmUp, &rest, &l.Permits)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	l.For, l.WarmUp, l.Rest = ms(length), ms(warmUp), ms(rest)
	return l, err
}

// locker is a process of [RunLock].
type locker struct {
	cmd    *exec.Cmd
	stdin  io.Writer
	stdout *bufio.Reader
	stderr bytes.Buffer // the command's until it has ended
}

func startLocker(ctx context.Context, argv []string) (*locker, error) {
	p := &locker{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = &p.stderr
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	return p, tether.Start(p.cmd)
}

// lockCommand returns the command line of such a process, up to what the load says.
func (h *Hosts) lockCommand(ctx context.Context, k LockKind, l Load) ([]string, error) {
	if k == EtcdMutex {
		exe, err := h.etcd(ctx)
		return []string{exe, "mutex"}, err
	}
	library := k.library()
	recipe, _, fetched := strings.Cut(string(k), "@")
	if library.python() {
		argv := []string{python, filepath.Join(sources, "hosts", "locking.py"), recipe}
		if !fetched {
			return argv, nil
		}
		path, err := KazooPath(ctx)
		return append([]string{"env", "PYTHONPATH=" + path}, argv...), err
	}
	classpath, err := h.classpath(ctx, library, "Locking")
	// In MB. Each client of Curator has its own threads and buffers.
	heap := max(256/max(1, l.Processes), 64, 2*l.Clients)
	return []string{"java", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classpath, "Locking", recipe}, err
}
