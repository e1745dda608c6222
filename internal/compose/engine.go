//go:build linux

package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// engine is a Docker engine.
type engine struct {
	env []string // for the programs that talk to it

	// Of an engine of our own:
	cmd  *exec.Cmd     // nil: it was there before
	dir  string        // all its files
	gone chan struct{} // closed when its process has ended
}

// answers reports whether an engine answers at this machine's usual place.
func answers(ctx context.Context) bool {
	e := &engine{}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := e.run(ctx, "docker", "info")
	return err == nil
}

// inside is set in the environment of the process that isolate makes of this one.
const inside = "ZKRECIPE_COMPOSE_INSIDE"

// isolated reports whether this process is in namespaces of its own, where an engine of our own may
// run.
func isolated() bool { return os.Getenv(inside) != "" }

// lacks says what is missing for an engine of our own.
func lacks() error {
	if os.Getuid() != 0 {
		return errors.New("no Docker engine answers, and only root can start one")
	}
	for _, program := range []string{"dockerd", "docker", "iptables", "ip", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("no Docker engine answers, and one cannot be started: %w (Debian: docker.io, iproute2, iptables)", err)
		}
	}
	return nil
}

// isolate begins this process anew in namespaces of its own. It returns only if that is impossible.
func isolate() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	// As the first process of its namespace it takes all others with it at its end.
	argv := []string{unshare, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", self}
	return syscall.Exec(unshare, append(argv, os.Args[1:]...), append(os.Environ(), inside+"=1"))
}

// start starts an engine of our own.
func start(ctx context.Context) (e *engine, err error) {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		return nil, err
	}
	e = &engine{dir: dir, gone: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if _, err := e.run(ctx, "ip", "link", "set", "lo", "up"); err != nil {
		return e, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return e, err
	}
	defer log.Close()
	socket := "unix://" + filepath.Join(dir, "socket")
	e.env = []string{"DOCKER_HOST=" + socket, "DOCKER_CONFIG=" + dir}
	cmd := exec.Command("dockerd", "--host", socket, "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--log-level", "warn")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return e, err
	}
	e.cmd = cmd
	go func() { defer close(e.gone); cmd.Wait() }()
	return e, e.ready(ctx)
}

// ready waits until the engine answers.
func (e *engine) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := e.run(ctx, "docker", "info")
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // nothing tells when it is
			continue
		case <-e.gone:
		case <-ctx.Done():
		}
		log, _ := os.ReadFile(filepath.Join(e.dir, "log"))
		return fmt.Errorf("dockerd does not come up: %w\n%s", err, tail(log))
	}
}

// close stops an engine of our own and removes its files.
func (e *engine) close() error {
	if e.dir == "" {
		return nil
	}
	if e.cmd != nil {
		e.cmd.Process.Signal(syscall.SIGTERM) // fails when it is gone
		select {
		case <-e.gone:
		case <-time.After(20 * time.Second):
			e.cmd.Process.Kill()
			<-e.gone
		}
	}
	return os.RemoveAll(e.dir)
}

// patience bounds every command; the longest compiles.
const patience = 12 * time.Minute

// run runs a command to its end and returns what it wrote to stdout. The error holds what it wrote
// at all.
func (e *engine) run(ctx context.Context, argv ...string) (string, error) {
	return e.feed(ctx, nil, argv...)
}

// feed is run with something on stdin.
func (e *engine) feed(ctx context.Context, stdin io.Reader, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out bytes.Buffer
	var all output
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), e.env...)
	cmd.Dir = root
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, io.MultiWriter(&out, &all), &all
	cmd.WaitDelay = 5 * time.Second // a child that is left may hold stdout
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), errors.Join(err, context.Cause(ctx)), tail(all.bytes()))
	}
	return out.String(), nil
}

// output takes what two goroutines write: one for stdout, one for stderr.
type output struct {
	mu  sync.Mutex // guards what follows
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Bytes()
}

// tail returns the end of what a program wrote.
func tail(text []byte) []byte { return text[max(0, len(text)-4000):] }
