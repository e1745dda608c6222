package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

const (
	// step is how much later each next process in rank joins a shard's line.
	step = 50 * time.Millisecond
	// look is how often a leader looks whether one that suits the shard better waits. It
	// costs a read for each candidate in line: in a service let it be many session timeouts.
	look = 400 * time.Millisecond
)

// errBetter ends a term: one that suits the shard better stands in line.
var errBetter = errors.New("a process that suits the shard better waits")

// keeper is a process's part in one shard.
type keeper struct {
	shard, me string
	processes []string // those that are meant to be there
	el        *election.Election
	work      func(ctx context.Context, shard string, term *election.Term) error
}

// run stands for election until ctx ends. The better a process suits the shard, the
// earlier it joins the line, so that processes which start together line up by rank: the
// best leads, the second best is its heir.
func (k *keeper) run(ctx context.Context) error {
	for {
		if err := sleep(ctx, time.Duration(rank(k.shard, k.me, k.processes))*step); err != nil {
			return err
		}
		if err := k.el.Run(ctx, k.lead); !errors.Is(err, errBetter) {
			return err
		}
	}
}

// lead works until the term ends, or gives it up to a process that suits the shard better.
func (k *keeper) lead(ctx context.Context, term *election.Term) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { cancel(k.watch(ctx)) })
	err := k.work(ctx, k.shard, term)
	cancel(nil)
	watching.Wait()
	if errors.Is(context.Cause(ctx), errBetter) {
		// Run ends, so that run joins the line anew, in its turn.
		return fmt.Errorf("%w: %w", errBetter, election.ErrStop)
	}
	return err
}

// watch looks at the line, at once and then now and again, and returns when one that suits
// the shard better waits in it: it has come back after a crash, or joined late. If others
// are ahead of it they lead first and resign in the same manner.
//
// That one may have died a moment ago. Then nobody leads until its session expires.
func (k *keeper) watch(ctx context.Context) error {
	for {
		line, _ := k.el.Candidates(ctx) // if it fails there will be another look
		for _, c := range line {
			if better(k.shard, c.ID, k.me) {
				return errBetter
			}
		}
		if err := sleep(ctx, look); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
