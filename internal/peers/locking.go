package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// EtcdMutex is the Mutex of etcd's package concurrency, for [Hosts.Lock] alone.
const EtcdMutex LockKind = "concurrency.Mutex"

// WarmUp is how long the clients of a [Load] take their lock before it counts: a second at least.
// All of them enter the line at once. If there are many, it is as long as it takes that each has
// had the lock once, if 100 acquisitions take a second.
func (l Load) WarmUp() time.Duration {
	return max(time.Second, time.Duration(l.Clients)*10*time.Millisecond)
}

// Locked is what became of a [Load] on a lock or a semaphore. Each client takes it and gives it away
// again and again. While all permits are held, the one that has held its permit for longest releases
// it: at once after the last acquisition, or Rest later. There is no rest in the WarmUp.
type Locked struct {
	Acquired, Failed int
	// HandOver is the median time from the call that releases the lock to the return of the next
	// one that acquires it.
	HandOver time.Duration
}

// Lock runs the clients of another library's lock or semaphore, in a process, until they have
// finished.
func (h *Hosts) Lock(ctx context.Context, k LockKind, l Load) (Locked, error) {
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	args := []string{l.Connect, l.Path, strconv.Itoa(l.Clients), ms(l.For), ms(l.WarmUp()), ms(l.Rest), strconv.Itoa(max(1, l.Permits))}
	argv, err := h.lockCommand(ctx, k, l.Clients)
	if err != nil {
		return Locked{}, err
	}
	out, err := exec.CommandContext(ctx, argv[0], append(argv[1:], args...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return Locked{}, fmt.Errorf("%s: %w\n%s", k, err, exit.Stderr)
	}
	if err != nil {
		return Locked{}, err
	}
	var locked Locked
	if err := json.Unmarshal(out, &locked); err != nil {
		return locked, fmt.Errorf("%s: %w: %q", k, err, out)
	}
	return locked, nil
}

// lockCommand returns the command line of such a process, up to what the load says.
func (h *Hosts) lockCommand(ctx context.Context, k LockKind, clients int) ([]string, error) {
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
	heap := max(256, 2*clients) // MB; each client of Curator has its own threads and buffers
	return []string{"java", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classpath, "Locking", recipe}, err
}
