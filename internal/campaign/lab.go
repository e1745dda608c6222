//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// MaxRigs is how many rigs have addresses.
const MaxRigs = 50

// labDir in the environment tells the inner process that it is that, and where its directory is.
const labDir = "ZKRECIPE_CAMPAIGN_DIR"

// Inside returns the directory of the campaign in the inner process, "" in the outer one.
func Inside() string { return os.Getenv(labDir) }

// Available reports whether a campaign can be held here: nil, or what is missing.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("a campaign needs root")
	}
	for _, tool := range []string{"ip", "iptables", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (Debian: iproute2, iptables, util-linux)", err)
		}
	}
	ns, err := newNamespace(context.Background())
	if err != nil {
		return err
	}
	// Rules need support of the kernel as well.
	err = ns.rule(context.Background(), Both, "lo", "", "-m", "statistic", "--mode", "random", "--probability", "0.5", "-j", "DROP")
	return errors.Join(err, ns.close(), ensemble.Available())
}

// Outside holds a campaign: it runs this very program again, in a network namespace of its own, and
// returns its exit code. It builds the programs that it is not given, and removes the directory of
// the campaign whatever happens to the inner process; when this process dies, the kernel kills that
// one.
func Outside(ctx context.Context, cfg Config) (code int) {
	code, err := outside(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		return 2
	}
	return code
}

func outside(ctx context.Context, cfg Config) (code int, err error) {
	if err := Available(); err != nil {
		return 2, err
	}
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-%d-", dirPrefix, os.Getpid(), startOf(os.Getpid())))
	if err != nil {
		return 2, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	args := os.Args[1:]
	for name, given := range map[string]bool{"candidate": cfg.Candidate != "", "contender": cfg.Contender != "" || cfg.Peers} {
		if given {
			continue
		}
		exe := filepath.Join(dir, name)
		if err := run(ctx, "go", "build", "-o", exe, "github.com/zkrecipe/zkrecipe/examples/"+name); err != nil {
			return 2, err
		}
		args = append([]string{"-" + name, exe}, args...)
	}
	self, err := os.Executable()
	if err != nil {
		return 2, err
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), labDir+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := tether.Start(cmd); err != nil {
		return 2, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-time.After(leaveWithin + 10*time.Second):
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), err
}

const dirPrefix = "zkrecipe-campaign-"

// sweep removes the directories of campaigns that were killed. Their names tell whose they are: a
// process is known by its id and its start.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		parts := strings.Split(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if len(parts) != 3 {
			continue
		}
		pid, err := strconv.Atoi(parts[0])
		start, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err == nil && err2 == nil && startOf(pid) != start {
			_ = os.RemoveAll(dir) // the next campaign tries again
		}
	}
}

// startOf returns when a process was started, in ticks since boot; 0 if there is none.
func startOf(pid int) int64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Field 22; the second is the name in parentheses, which may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	start, _ := strconv.ParseInt(fields[19], 10, 64)
	return start
}
