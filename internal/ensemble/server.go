package ensemble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// ErrExternal is returned by methods that start, stop or freeze a server, if the ensemble is not
// ours (ZK_SERVERS).
var ErrExternal = errors.New("ensemble: the servers are external (ZK_SERVERS) and not ours to control")

// ErrNotServing says that a server answers but is not part of a quorum at the moment.
var ErrNotServing = errors.New("ensemble: server is not serving requests")

// errNotRunning says that a method needs a running process and there is none.
var errNotRunning = errors.New("not running")

// Server is one ZooKeeper server. Its methods may be called from any goroutine.
type Server struct {
	id       int
	addr     string
	secure   string
	debug    string
	dir      string
	external bool
	argv     []string
	log      io.Writer

	mu     sync.Mutex // guards the fields below; held while a process is started or killed
	proc   *process   // the running or last process; nil before the first start
	frozen bool
}

// process is one run of a server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed by the goroutine that reaps cmd
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ID returns the server's number in the ensemble (myid): 1, 2, ...
func (s *Server) ID() int { return s.id }

// Addr returns host:port for clients.
func (s *Server) Addr() string { return s.addr }

// SecureAddr returns host:port for TLS clients; it is served only with Config.Secure.
func (s *Server) SecureAddr() string { return s.secure }

// DebugAddr returns host:port for a debugger, on the loopback of the host that the server lives on;
// it listens only with Config.Debug.
func (s *Server) DebugAddr() string { return s.debug }

// LogPath returns the file with the server's output, over all its starts; empty for an external
// server.
func (s *Server) LogPath() string {
	if s.external {
		return ""
	}
	return filepath.Join(s.dir, "server.log")
}

// LogTail returns the last lines of the log.
func (s *Server) LogTail(lines int) string {
	text, err := os.ReadFile(s.LogPath())
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Running tells whether the server's process exists; a frozen one does.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.external || s.proc.running()
}

// Start starts the server, if it does not run, and waits until it serves in some mode: with others
// down, that takes a quorum.
func (s *Server) Start(ctx context.Context) error {
	if err := s.Launch(); err != nil {
		return err
	}
	return s.WaitServing(ctx)
}

// Restart kills the server and starts it again with its data.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Launch starts the process, if it does not run, and does not wait for it to serve. Use it to bring
// several servers up at once.
func (s *Server) Launch() error {
	if s.external {
		return ErrExternal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.running() {
		return nil
	}
	out, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close() // the child has its own copy
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	// Nothing of the caller's settings (JAVA_TOOL_OPTIONS, CLASSPATH, ...) may change what is
	// tested.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C"}
	if err := tether.Start(cmd); err != nil {
		return fmt.Errorf("ensemble: start server %d: %w", s.id, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() { // ends with the process; Kill waits for it
		defer close(p.done)
		_ = cmd.Wait() // the exit status of a killed server says nothing
	}()
	s.proc, s.frozen = p, false
	s.logf("started, pid %d, client port %s", cmd.Process.Pid, s.addr)
	return nil
}

// Kill ends the server with SIGKILL and waits until it is gone; nil if it does not run. A frozen
// server is killed too.
func (s *Server) Kill() error {
	if s.external {
		return ErrExternal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return nil
	}
	if err := killProcess(s.proc.cmd); err != nil && s.proc.running() {
		return fmt.Errorf("ensemble: kill server %d: %w", s.id, err)
	}
	<-s.proc.done
	s.frozen = false
	s.logf("killed")
	return nil
}

// Freeze stops the server's process (SIGSTOP): connections stay open, nothing is answered.
func (s *Server) Freeze() error { return s.signal("frozen", true, freezeProcess) }

// Thaw lets a frozen server go on (SIGCONT).
func (s *Server) Thaw() error { return s.signal("thawed", false, thawProcess) }

func (s *Server) signal(what string, frozen bool, send func(*exec.Cmd) error) error {
	if s.external {
		return ErrExternal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.running() {
		return fmt.Errorf("ensemble: server %d: %w", s.id, errNotRunning)
	}
	if err := send(s.proc.cmd); err != nil {
		return fmt.Errorf("ensemble: server %d: %w", s.id, err)
	}
	s.frozen = frozen
	s.logf("%s", what)
	return nil
}

// Frozen tells whether Freeze holds the server.
func (s *Server) Frozen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen
}

// Command sends a four-letter word (srvr, cons, wchp, ...) and returns the answer.
func (s *Server) Command(ctx context.Context, word string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", errors.Join(err, ctx.Err())
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(conn); err != nil {
		return answer.String(), errors.Join(err, ctx.Err())
	}
	return answer.String(), nil
}

// Mode returns "leader", "follower", "observer" or "standalone"; ErrNotServing from a server
// without a quorum.
func (s *Server) Mode(ctx context.Context) (string, error) {
	answer, err := s.Command(ctx, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", fmt.Errorf("%w: server %d says %q", ErrNotServing, s.id, strings.TrimSpace(answer))
}

// WaitServing waits until the server has a mode. The error carries the last reason and the end of
// the log.
func (s *Server) WaitServing(ctx context.Context) error {
	return poll(ctx, func(ctx context.Context) error {
		if !s.Running() {
			return fatal{fmt.Errorf("ensemble: server %d has ended; its log ends with:\n%s", s.id, s.LogTail(20))}
		}
		_, err := s.Mode(ctx)
		return err
	}, func(err error) error {
		return fmt.Errorf("ensemble: server %d: %w; its log ends with:\n%s", s.id, err, s.LogTail(20))
	})
}

func (s *Server) logf(format string, args ...any) {
	fmt.Fprintf(s.log, "ensemble: server %d "+format+"\n", append([]any{s.id}, args...)...)
}
