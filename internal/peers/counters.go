package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// CounterKind is a counter of another library.
type CounterKind string

const (
	// AtomicLong is Curator's DistributedAtomicLong.
	AtomicLong CounterKind = "DistributedAtomicLong"
	// SharedCount is Curator's.
	SharedCount CounterKind = "SharedCount"
	// KazooCounter is kazoo's Counter as it comes.
	KazooCounter CounterKind = "Counter"
	// KazooCuratorCounter is kazoo's Counter in Curator's encoding.
	KazooCuratorCounter CounterKind = "CuratorCounter"
)

func (k CounterKind) java() bool { return k == AtomicLong || k == SharedCount }

// CounterAvailable is [Available] for counters.
func CounterAvailable(ctx context.Context, k CounterKind) error {
	if k.java() {
		return Available(ctx, LeaderLatch)
	}
	return Available(ctx, Kazoo)
}

// Load is what the clients of a counter or of a lock do.
type Load struct {
	Connect, Path string
	// Clients are in one process, each with a session of its own.
	Clients int
	// For is how long they do it, and Most how many additions each makes at most.
	For  time.Duration
	Most int
	// What follows is for locks and semaphores alone.

	// Processes, if more than 1, are so many, each with Clients of its own.
	Processes int
	// WarmUp is how long the clients take their lock before it counts. All of them enter the line
	// at once.
	WarmUp time.Duration
	// Rest is how long nobody releases a lock after an acquisition, and Permits the size of a
	// semaphore.
	Rest    time.Duration
	Permits int
}

// Added is what became of it.
type Added struct {
	// Added were done; Failed were given up, after all retries of the library.
	Added, Failed int
	Took          time.Duration // the load's, without the start of the process, if Most was not reached
}

// Count runs the clients of another library's counter, in a process, until they have finished.
func (h *Hosts) Count(ctx context.Context, k CounterKind, l Load) (Added, error) {
	args := []string{string(k), l.Connect, l.Path, strconv.Itoa(l.Clients), strconv.FormatInt(l.For.Milliseconds(), 10), strconv.Itoa(l.Most)}
	argv := append([]string{python, filepath.Join(sources, "hosts", "count.py")}, args...)
	if k.java() {
		classpath, err := h.classpath(ctx, LeaderLatch, "Count") // Debian's Curator
		if err != nil {
			return Added{}, err
		}
		argv = append([]string{"java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classpath, "Count"}, args...)
	}
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return Added{}, fmt.Errorf("%s: %w\n%s", k, err, exit.Stderr)
	}
	if err != nil {
		return Added{}, err
	}
	a := Added{Took: l.For}
	if err := json.Unmarshal(out, &a); err != nil {
		return a, fmt.Errorf("%s: %w: %q", k, err, out)
	}
	return a, nil
}
