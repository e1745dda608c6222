package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
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

// Locked is what became of a [Load] on a lock: each client takes it and gives it away at once,
// again and again.
type Locked struct {
	Acquired, Failed int
	// HandOver is the median time from the call that releases the lock to the return of the next
	// one that acquires it.
	HandOver time.Duration
}

// Lock runs the clients of another library's lock, in a process, until they have finished.
func (h *Hosts) Lock(ctx context.Context, k LockKind, l Load) (Locked, error) {
	args := []string{l.Connect, l.Path, strconv.Itoa(l.Clients), strconv.FormatInt(l.For.Milliseconds(), 10),
		strconv.FormatInt(l.WarmUp().Milliseconds(), 10)}
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

func (h *Hosts) lockCommand(ctx context.Context, k LockKind, clients int) ([]string, error) {
	if k == EtcdMutex {
		exe, err := h.etcd(ctx)
		return []string{exe, "mutex"}, err
	}
	classpath, err := h.classpath(ctx, k.library(), "Locking")
	heap := max(256, 2*clients) // MB; each client of Curator has its own threads and buffers
	return []string{"java", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classpath, "Locking", string(CuratorMutex)}, err
}
