package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// program is a contender at work.
type program struct {
	*example.Program
	options
	client   *session.Client
	means    means
	out      *lines.Output
	commands chan string     // from stdin: "acquire", "downgrade" and "release"
	requests chan request    // from stdin: the others
	revoked  chan *lock.Held // somebody asks to release it
	using    sync.WaitGroup  // the goroutines that read and write registers
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
	commands := map[string]func(int){
		"revoke":   func(int) { p.request("revoke", p.means.revoke) },
		"resize N": func(size int) { p.request("resize", p.resizer(size)) },
	}
	for _, command := range []string{"acquire", "downgrade", "release"} {
		commands[command] = func(int) { p.commands <- command }
	}
	return p.out.Run(ctx, commands, func(ctx context.Context) error {
		var followed sync.WaitGroup
		following, stop := context.WithCancel(ctx)
		followed.Go(func() { p.out.FollowSessions(following, client) })
		followed.Go(func() { p.carryOut(following) })
		err := p.contend(ctx)
		if ctx.Err() != nil {
			err = nil // it was told to end
		}
		stop()
		followed.Wait()
		p.using.Wait()
		if err = errors.Join(err, client.Close()); err != nil {
			p.out.Fail(err)
		}
		p.out.Last("left")
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
				p.refuse(command, false)
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
	p.tellHeld(always, "acquired", h, permitsOf(h)...)
	p.use(ctx, h, p.recipe == "read")
	writer := p.writerOf(h)
	var over <-chan time.Time
	if p.hold > 0 {
		over = time.After(p.hold)
	}
	ticker := time.NewTicker(p.beat)
	defer ticker.Stop()
	for work := true; work; {
		p.tellHeld(h.Valid, "beat", h)
		select {
		case <-ticker.C:
		case <-over:
			work = false
		case command := <-p.commands:
			switch {
			case command == "release":
				work = false
			case command == "downgrade" && writer != nil:
				if h, writer = p.downgrade(ctx, writer), nil; h == nil {
					return
				}
			default:
				p.refuse(command, true)
			}
		case asked := <-p.revoked:
			if work = !asked.Valid(); !work { // else it was asked about an earlier time
				p.out.Write("revoked", named(asked, h)...)
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
	for _, one := range partsOf(h) {
		if reason := lossOf(one); reason != "" {
			p.out.Write("lost", append(named(one, h), "reason", reason)...)
		} else {
			p.out.Write("released", named(one, h)...)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lines.ExitWithin/2)
	defer cancel()
	_ = h.Release(ctx) // its loss was told; what is not deleted yet is deleted in the background
}

// tellHeld writes that h is held if ok says so, one line for each of its parts.
func (p *program) tellHeld(ok func() bool, event string, h holding, more ...any) {
	for _, one := range partsOf(h) {
		fields := append(named(one, h), "deadline", one.Remaining)
		if event != "beat" {
			fields = append(fields, "node", one.Node())
		}
		p.out.WriteIf(ok, event, append(fields, more...)...)
	}
}

func always() bool { return true }

// downgrade makes a writer a reader, and returns what is held then, or nil. The writer's last line
// comes first, as in release: readers may hold the lock as soon as the servers have done it.
func (p *program) downgrade(ctx context.Context, writer *lock.Held) holding {
	over := true
	valid := func() bool { over = !writer.Valid(); return !over }
	p.out.WriteIf(valid, "released", "token", writer.Token())
	if over {
		return writer // keep tells why
	}
	reader, err := writer.Downgrade(ctx)
	if err != nil {
		p.out.Fail(err)
		return nil
	}
	p.tellHeld(always, "downgraded", reader)
	p.use(ctx, reader, true)
	return reader
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
			p.refuse(command, false)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refuse tells that a command makes no sense now.
func (p *program) refuse(command string, held bool) {
	why := "it is not held"
	switch {
	case command == "acquire":
		why = "it is held or asked for already"
	case held:
		why = fmt.Sprintf("it is no lock held for writing; want -recipe write, one -path, and no downgrade before (-recipe is %s, -path is %s)", p.recipe, p.Path)
	}
	p.out.Fail(fmt.Errorf("cannot %s: %s", command, why))
}
