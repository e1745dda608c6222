package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/tether"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// asCandidate as first argument makes this program a candidate: see stand.
const asCandidate = "candidate"

// tale is a line of a candidate's process, with the instant of the clock that all processes of the
// machine share.
type tale struct {
	T     int64
	Event string // heir, elected or deposed
}

// post is what a candidate's process stands for.
type post struct {
	connect, path  string
	timeout, lease time.Duration // no lease: it is a zk.Lock, which tells that it is the heir before it waits
	elections      int           // more than one: each has a path of its own below path
}

func (p post) args() []string {
	return []string{asCandidate, p.connect, p.path, p.timeout.String(), p.lease.String(), strconv.Itoa(p.elections)}
}

func parsePost(args []string) (p post, err error) {
	timeout, err1 := time.ParseDuration(args[2])
	lease, err2 := time.ParseDuration(args[3])
	elections, err3 := strconv.Atoi(args[4])
	return post{args[0], args[1], timeout, lease, elections}, errors.Join(err1, err2, err3)
}

// become makes this process something else if its first argument says so, and that has n arguments
// more. Its context ends after SIGTERM.
func become(what string, n int, do func(ctx context.Context, args []string) error) {
	if len(os.Args) != n+2 || os.Args[1] != what {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := do(ctx, os.Args[2:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func tell(event election.EventKind) { fmt.Println(history.Now(), event) }

// stand makes this process a candidate. It tells what happens on stdout.
func stand(ctx context.Context, args []string) error {
	p, err := parsePost(args)
	if err != nil {
		return err
	}
	if p.lease == 0 {
		return standByLock(ctx, p)
	}
	client, err := session.Open(p.connect, session.Config{Timeout: p.timeout, Lease: p.lease})
	if err != nil {
		return err
	}
	defer client.Close()
	return pipelined(p.elections, func(i int) error {
		path := p.path
		if p.elections > 1 {
			path += "/" + strconv.Itoa(i)
		}
		el, err := election.New(client, path, election.Config{OnEvent: func(ev election.Event) {
			switch ev.Kind {
			case election.EventHeir, election.EventDeposed:
				tell(ev.Kind)
			}
		}})
		if err != nil {
			return err
		}
		return el.Run(ctx, func(ctx context.Context, _ *election.Term) error {
			tell(election.EventElected)
			<-ctx.Done()
			return nil
		})
	})
}

func standByLock(ctx context.Context, p post) error {
	conn, _, err := zk.Connect(strings.Split(p.connect, ","), p.timeout, zk.WithLogger(silence{}), zk.WithLogInfo(false))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, _, err := conn.Exists("/"); err != nil { // it waits for a session
		return err
	}
	tell(election.EventHeir)
	if err := zk.NewLock(conn, p.path, zk.WorldACL(zk.PermAll)).Lock(); err != nil {
		return err
	}
	tell(election.EventElected)
	<-ctx.Done()
	return nil
}

// process is a candidate in a process of its own, which can be killed and stopped.
type process struct {
	cmd   *exec.Cmd
	tales chan tale // closed when the process is gone
}

// spawn starts this program with other arguments.
func spawn(args ...string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout io.Reader, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd = exec.Command(exe, args...)
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err = errors.Join(err1, err2); err == nil {
		err = tether.Start(cmd)
	}
	return cmd, stdin, stdout, err
}

func start(what post) (*process, error) {
	cmd, _, out, err := spawn(what.args()...)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, tales: make(chan tale, 1000)}
	go func() {
		defer close(p.tales)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var t tale
			if n, _ := fmt.Sscan(lines.Text(), &t.T, &t.Event); n == 2 {
				p.tales <- t
			}
		}
		_ = p.cmd.Wait() // killed, most of them
	}()
	return p, nil
}

var errGone = errors.New("the process has ended")

// await waits for an event and returns when it was. Others that come before are passed over. A
// candidate that leads where it ought to be the heir is errDeposed.
func (p *process) await(l *lab, event string) (int64, error) {
	for {
		t, err := receive(l, p.tales)
		switch {
		case err != nil:
			return 0, fmt.Errorf("waiting for %q: %w", event, err)
		case t.Event == "":
			return 0, errGone
		case t.Event == event:
			return t.T, nil
		case t.Event == "elected":
			return 0, errDeposed
		}
	}
}

// told reports whether an event has been told that nobody has waited for.
func (p *process) told(event string) bool {
	for {
		select {
		case t := <-p.tales:
			if t.Event == event || t.Event == "" {
				return true
			}
		default:
			return false
		}
	}
}

// all returns what has been told that nobody has waited for.
func (p *process) all() (tales []tale) {
	for {
		select {
		case t, ok := <-p.tales:
			if !ok {
				return tales
			}
			tales = append(tales, t)
		default:
			return tales
		}
	}
}

// kill is kill -9; it returns the instant before.
func (p *process) kill() (at int64) {
	at = history.Now()
	_ = p.cmd.Process.Kill() // fails when it is gone
	return at
}

// end lets the process leave, or kills it.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience/6, func() { p.kill() })
	defer late.Stop()
	for range p.tales {
	}
}
