package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/tether"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// asCandidate as first argument makes this program a candidate: see becomeCandidate.
const asCandidate = "candidate"

// tale is a line of a candidate's process, with the instant of the clock that all processes of the
// machine share.
type tale struct {
	T     int64
	Event string // heir, elected or deposed
}

// becomeCandidate makes this process a candidate if its arguments say so: connect string, path,
// session timeout, lease. It tells what happens on stdout, and leaves after SIGTERM.
func becomeCandidate() {
	if len(os.Args) != 6 || os.Args[1] != asCandidate {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := stand(ctx, os.Args[2:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func stand(ctx context.Context, args []string) error {
	timeout, err1 := time.ParseDuration(args[2])
	lease, err2 := time.ParseDuration(args[3])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	client, err := session.Open(args[0], session.Config{Timeout: timeout, Lease: lease})
	if err != nil {
		return err
	}
	defer client.Close()
	el, err := election.New(client, args[1], election.Config{OnEvent: func(ev election.Event) {
		switch ev.Kind {
		case election.EventHeir, election.EventDeposed:
			fmt.Println(history.Now(), ev.Kind)
		}
	}})
	if err != nil {
		return err
	}
	return el.Run(ctx, func(ctx context.Context, _ *election.Term) error {
		fmt.Println(history.Now(), election.EventElected)
		<-ctx.Done()
		return nil
	})
}

// process is a candidate in a process of its own, which can be killed and stopped.
type process struct {
	cmd   *exec.Cmd
	tales chan tale // closed when the process is gone
}

func (l *lab) start(path string, timeout, lease time.Duration) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{
		cmd:   exec.Command(exe, asCandidate, l.ensemble.ConnectString(), path, timeout.String(), lease.String()),
		tales: make(chan tale, 1000),
	}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = tether.Start(p.cmd)
	}
	if err != nil {
		return nil, err
	}
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

// await waits for an event and returns when it was. Others that come before are passed over.
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

// kill is kill -9; it returns the instant before.
func (p *process) kill() (at int64) {
	at = history.Now()
	_ = p.cmd.Process.Kill() // fails when it is gone
	return at
}

// pause stops the process for a while.
func (p *process) pause(d time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
}

// end lets the process leave, or kills it.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience/6, func() { p.kill() })
	defer late.Stop()
	for range p.tales {
	}
}
