package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/session"
)

// program is a contender at work.
type program struct {
	*example.Program
	options
	client   *session.Client
	means    means
	out      *lines.Output
	commands chan string // from stdin: "acquire" and "release"
	gone     atomic.Bool // "left" was written
}

// run contends until ctx ends, or as often as it was told. The error is why it could not.
func (p *program) run(ctx context.Context) error {
	if p.verbose {
		p.Session.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	client, err := p.Client()
	if err != nil {
		return err
	}
	p.client = client
	p.id = example.ID(p.id)
	if p.means, err = recipes[p.recipe](client, p); err != nil {
		return example.Mistake(err)
	}
	p.out = lines.New(os.Stdout, p.id)
	commands := map[string]func(){}
	for _, command := range []string{"acquire", "release"} {
		commands[command] = func() { p.commands <- command }
	}
	return p.out.Run(ctx, commands, func(ctx context.Context) error {
		var followed sync.WaitGroup
		following, stop := context.WithCancel(ctx)
		followed.Go(func() { p.out.FollowSessions(following, client) })
		err := p.contend(ctx)
		if ctx.Err() != nil {
			err = nil // it was told to end
		}
		stop()
		followed.Wait()
		err = errors.Join(err, client.Close())
		p.leave()
		return err
	})
}

// contend acquires the lock again and again.
func (p *program) contend(ctx context.Context) error {
	for i := 1; ; i++ {
		h, err := p.get(ctx)
		switch {
		case err == nil:
			p.keep(ctx, h)
		case !isBusy(err):
			return err
		}
		if ctx.Err() != nil || i == p.times || p.pause(ctx) != nil {
			return context.Cause(ctx)
		}
	}
}

// get acquires the lock, or only tries to.
func (p *program) get(ctx context.Context) (holding, error) {
	acquire := p.means.acquire
	if p.try {
		acquire = p.means.try
	}
	p.out.Write("waiting")
	done := make(chan struct{})
	var refusing sync.WaitGroup
	refusing.Go(func() { // meanwhile there is nothing to release, and it is asked for already
		for {
			select {
			case command := <-p.commands:
				p.refuse(command)
			case <-done:
				return
			}
		}
	})
	h, err := acquire(ctx)
	close(done)
	refusing.Wait() // so that it takes no command for what is held
	if isBusy(err) {
		p.out.Write("busy")
	}
	return h, err
}

// keep holds the lock until its time is over, it is lost, or ctx ends. It beats meanwhile.
func (p *program) keep(ctx context.Context, h holding) {
	if s, err := p.client.Session(h.Context()); err == nil {
		p.out.Session(s.ID(), p.client) // before the line about what is held in it
	}
	p.out.Write("acquired", append([]any{"token", h.Token(), "deadline", h.Remaining}, slotOf(h)...)...)
	var over <-chan time.Time
	if p.hold > 0 {
		over = time.After(p.hold)
	}
	ticker := time.NewTicker(p.beat)
	defer ticker.Stop()
	for work := true; work; {
		p.out.WriteIf(h.Valid, "beat", "token", h.Token(), "deadline", h.Remaining)
		select {
		case <-ticker.C:
		case <-over:
			work = false
		case command := <-p.commands:
			if work = command != "release"; work {
				p.refuse(command)
			}
		case <-h.Context().Done():
			work = false
		case <-ctx.Done():
			work = false
		}
	}
	p.release(h)
}

// release tells how it ended, and then lets others have it. The line comes first: it is the end of
// what the beats before it prove. The znode may be deleted in the background.
func (p *program) release(h holding) {
	if reason := lossOf(h); reason != "" {
		p.out.Write("lost", "token", h.Token(), "reason", reason)
	} else {
		p.out.Write("released", "token", h.Token())
	}
	ctx, cancel := context.WithTimeout(context.Background(), lines.ExitWithin/2)
	defer cancel()
	_ = h.Release(ctx) // its loss was told; what is not deleted yet is deleted in the background
}

// pause waits between two acquisitions.
func (p *program) pause(ctx context.Context) error {
	var over <-chan time.Time
	if p.rest >= 0 {
		over = time.After(p.rest)
	}
	for {
		select {
		case <-over:
			return nil
		case command := <-p.commands:
			if command == "acquire" {
				return nil
			}
			p.refuse(command)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refuse tells that a command makes no sense now.
func (p *program) refuse(command string) {
	why := "it is not held"
	if command == "acquire" {
		why = "it is held or asked for already"
	}
	p.out.Fail(fmt.Errorf("cannot %s: %s", command, why))
}
