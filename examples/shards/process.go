package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// asProcess is the role of this program's children.
const asProcess = "process"

const (
	// beat is how often the leader of a shard works, in this example.
	beat = 20 * time.Millisecond
	// telling is how often a process tells what it leads.
	telling = 50 * time.Millisecond
)

// stretch is one term of a shard, as far as a process has proved that it led: it was
// valid at From, at To and at each beat between.
type stretch struct {
	Shard    string
	Token    int64
	From, To int64 // CLOCK_MONOTONIC in ns, the same for all processes of a machine
	Over     bool
}

// work is what the leader of a shard does until its term ends.
type work func(p *process, ctx context.Context, shard string, term *election.Term) error

// process leads its share of the shards, all with one client: one session, one lease.
type process struct {
	work work

	mu    sync.Mutex // guards terms
	terms map[string]*stretch
	lost  []stretch // over, and not told yet
}

// runProcess is the program of a child. It ends with stdin.
func runProcess(args []string, w work) error {
	f := flag.NewFlagSet(asProcess, flag.ContinueOnError)
	connect := f.String("zk", "", "")
	path := f.String("path", "", "")
	id := f.String("id", "", "")
	shards := f.Int("shards", 0, "")
	processes := f.Int("processes", 0, "")
	var times flags.Times
	times.Define(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // ends with stdin: a read of it cannot be called back
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	client, err := session.Open(*connect, session.Config{Timeout: times.Timeout, Lease: times.Lease})
	if err != nil {
		return err
	}
	defer client.Close()
	p := &process{work: w, terms: map[string]*stretch{}}
	err = p.run(ctx, client, *path, *id, shardNames(*shards), processNames(*processes))
	if ctx.Err() != nil {
		return nil // told to end
	}
	return err
}

// run stands for election in every shard until ctx ends.
func (p *process) run(ctx context.Context, client *session.Client, path, id string, shards, processes []string) error {
	tasks := []func(context.Context) error{p.tell}
	for _, shard := range shards {
		el, err := election.New(client, path+"/"+shard, election.Config{ID: id})
		if err != nil {
			return err
		}
		k := &keeper{shard: shard, me: id, processes: processes, el: el, work: p.lead}
		tasks = append(tasks, k.run)
	}
	return together(ctx, tasks)
}

// together runs tasks until the first of them ends, which ends the others, and returns
// its error.
func together(ctx context.Context, tasks []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, task := range tasks {
		group.Go(func() { cancel(task(ctx)) })
	}
	group.Wait()
	return context.Cause(ctx)
}

// lead works for one term of a shard.
func (p *process) lead(ctx context.Context, shard string, term *election.Term) error {
	defer p.end(shard)
	return p.work(p, ctx, shard, term)
}

// honest is the work of this example: to note that it leads.
func honest(p *process, ctx context.Context, shard string, term *election.Term) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		if !term.Valid() { // right before each piece of work
			return context.Cause(ctx)
		}
		p.beat(shard, term) // the work, with term.Token() for the place that stores its result
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// beat notes that this process leads a shard now.
func (p *process) beat(shard string, term *election.Term) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := candidate.Monotonic()
	if !term.Valid() { // a process that was stopped before it took the time would lie
		return
	}
	t := p.terms[shard]
	if t == nil {
		t = &stretch{Shard: shard, Token: term.Token(), From: now}
		p.terms[shard] = t
	}
	t.To = now
}

// end notes that a term is over.
func (p *process) end(shard string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.terms[shard]; t != nil {
		t.Over = true
		p.lost = append(p.lost, *t)
		delete(p.terms, shard)
	}
}

// tell writes what this process leads, one line each time, until ctx ends.
func (p *process) tell(ctx context.Context) error {
	ticker := time.NewTicker(telling)
	defer ticker.Stop()
	for {
		p.mu.Lock()
		all := p.lost
		p.lost = nil
		for _, t := range p.terms {
			all = append(all, *t)
		}
		p.mu.Unlock()
		slices.SortFunc(all, func(a, b stretch) int { return strings.Compare(a.Shard, b.Shard) })
		text, err := json.Marshal(all)
		if err != nil {
			panic("bug: " + err.Error()) // strings and numbers only
		}
		if _, err := fmt.Println(string(text)); err != nil {
			return errors.New("nobody listens")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
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
