package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/demo"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// asProcess is the role of this program's children.
const asProcess = "process"

const (
	// beat is how often the leader of a shard works, in this example.
	beat = 20 * time.Millisecond
	// telling is how often a process tells what it leads.
	telling = 50 * time.Millisecond
)

// work is what the leader of a shard does until its term ends. It records in led when it led.
type work func(ctx context.Context, p *process, term *election.Term, led *stretch) error

// process leads its share of the shards, all with one client: one session, one lease.
type process struct {
	*program
	id   string
	work work

	mu    sync.Mutex // guards what follows
	terms []*stretch // but not those that are over and have been told
}

// runProcess is the program of a child.
func runProcess(w work) {
	p := &process{program: newProgram(), work: w}
	p.Flags.StringVar(&p.id, "id", "", "the `name` of the process")
	_ = p.Flags.Parse(os.Args[1:]) // exits by itself if it fails
	child.Main(p.stand)
}

// stand stands for election in every shard until ctx ends, or one of the elections fails.
func (p *process) stand(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tasks.Go(func() { p.tell(ctx) })
	for _, shard := range shardNames(p.shards) {
		el, err := election.New(client, p.Path+"/"+shard, election.Config{ID: p.id})
		if err != nil {
			return err
		}
		k := &keeper{shard: shard, me: p.id, processes: processNames(p.processes), el: el, work: p.lead}
		tasks.Go(func() { cancel(k.run(ctx)) })
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// lead works for one term of a shard.
func (p *process) lead(ctx context.Context, shard string, term *election.Term) error {
	led := &stretch{Shard: shard, By: p.id, Token: term.Token()}
	p.mu.Lock()
	p.terms = append(p.terms, led)
	p.mu.Unlock()
	err := p.work(ctx, p, term, led)
	p.mu.Lock()
	led.Over = true
	p.mu.Unlock()
	return err
}

// honest is the work of this example: to note that it leads.
func honest(ctx context.Context, p *process, term *election.Term, led *stretch) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		now := candidate.Monotonic()
		if !term.Valid() { // right before each piece of work
			return context.Cause(ctx)
		}
		p.note(led, now) // the work, with term.Token() for the place that stores its result
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// note records that a term was valid at an instant. The caller reads the clock first, and then asks
// the term. So the record is right even if the process was stopped between the two.
func (p *process) note(led *stretch, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	led.From, led.To = cmp.Or(led.From, at), at
}

// tell writes what this process leads, one line each time, until ctx ends.
func (p *process) tell(ctx context.Context) {
	for demo.Sleep(ctx, telling) == nil {
		var all []stretch
		p.mu.Lock()
		for _, t := range p.terms {
			if t.To != 0 {
				all = append(all, *t)
			}
		}
		p.terms = slices.DeleteFunc(p.terms, func(t *stretch) bool { return t.Over })
		p.mu.Unlock()
		child.Tell(all)
	}
}

// shardNames returns the names of n shards.
func shardNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("s%02d", i+1))
	}
	return names
}

// people name the processes.
var people = strings.Fields("alice bob carol dave erin frank grace heidi ivan judy " +
	"kim leo mary nick olga paul quinn rosa sam tina")

// processNames returns the names of n processes, of at most len(people).
func processNames(n int) []string { return people[:n] }
