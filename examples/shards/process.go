package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

const (
	beat    = 20 * time.Millisecond // how often the leader of a shard works, in this example
	telling = 50 * time.Millisecond // how often a process tells what it leads
)

// process leads its share of the shards, all with one client: one session, one lease.
type process struct {
	*program
	id   string
	note func(led *stretch, at int64) // that a term was valid at an instant

	mu    sync.Mutex // guards what follows
	terms []*stretch // but not those that are over and have been told
}

// runProcess is the program of a child, and ends it.
func runProcess(note func(led *stretch, at int64)) {
	p := &process{program: newProgram(), note: note}
	p.Flags.StringVar(&p.id, "id", "", "the `name` of the process")
	p.Main(nil, func(ctx context.Context) error { return child.Run(ctx, p.stand) })
}

// stand stands for election in every shard until ctx ends, or one of the elections fails.
func (p *process) stand(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.tell(ctx) })
	for _, shard := range shardNames(p.shards) {
		group.Go(func() error {
			el, err := election.New(client, p.Path+"/"+shard, election.Config{ID: p.id})
			if err != nil {
				return err
			}
			return (&keeper{shard, p.id, processNames(p.processes), el, p.lead}).run(ctx)
		})
	}
	return group.Wait()
}

// lead works for one term of a shard. The work of this example is to note that it leads.
func (p *process) lead(ctx context.Context, shard string, term *election.Term) error {
	led := &stretch{Shard: shard, By: p.id, Token: term.Token()}
	p.do(func() { p.terms = append(p.terms, led) })
	defer p.do(func() { led.Over = true })
	for ctx.Err() == nil {
		// The clock is read first. So the note is right even if the process is stopped between the
		// two.
		now := lines.Now()
		if !term.Valid() { // right before each piece of work
			break
		}
		p.do(func() { p.note(led, now) }) // the work, with term.Token() for the place that stores its result
		_ = example.Sleep(ctx, beat)
	}
	return context.Cause(ctx)
}

// honest notes that a term was valid at an instant.
func honest(led *stretch, at int64) { led.From, led.To = cmp.Or(led.From, at), at }

// tell writes what this process leads, one line each time, until ctx ends.
func (p *process) tell(ctx context.Context) error {
	for example.Sleep(ctx, telling) == nil {
		var all []stretch
		p.do(func() {
			for _, t := range p.terms {
				if t.To != 0 {
					all = append(all, *t)
				}
			}
			p.terms = slices.DeleteFunc(p.terms, func(t *stretch) bool { return t.Over })
		})
		if err := json.NewEncoder(os.Stdout).Encode(all); err != nil { // without a reader it is SIGPIPE that ends the process
			return err
		}
	}
	return context.Cause(ctx)
}

// do calls f with the lock held.
func (p *process) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}
