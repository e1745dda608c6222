package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

const (
	step = 50 * time.Millisecond // how much later each next process in rank joins a shard's line
	// look is how often a leader looks whether one that suits the shard better waits. It costs a
	// read for each candidate in line: in a service let it be many session timeouts.
	look = 400 * time.Millisecond
)

// keeper is a process's part in one shard.
type keeper struct {
	shard, me string
	processes []string // those that are meant to be there
	el        *election.Election
	work      func(ctx context.Context, shard string, term *election.Term) error
}

// run stands for election until ctx ends. The better a process suits the shard, the earlier it
// joins the line, so that processes which start together line up by rank: the best leads, the
// second best is its heir.
func (k *keeper) run(ctx context.Context) error {
	if err := example.Sleep(ctx, time.Duration(rank(k.shard, k.me, k.processes))*step); err != nil {
		return err
	}
	return k.el.Run(ctx, k.lead)
}

// lead works until the term ends. It ends the term if a process waits that suits the shard better.
func (k *keeper) lead(ctx context.Context, term *election.Term) error {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	watch.Go(func() { k.watch(watching, term) })
	return k.work(ctx, k.shard, term)
}

// watch looks at the line, at once and then now and again. It ends the term when a process waits in
// the line that suits the shard better: one that has come back after a crash, or has joined late.
// Others that are ahead of that process lead first, and resign in the same way. That process may
// have crashed a moment ago. Then nobody leads until its lease is over.
func (k *keeper) watch(ctx context.Context, term *election.Term) {
	for {
		line, _ := k.el.Candidates(ctx) // if it fails there will be another look
		// Who is hidden has no ID here, so that nobody knows whether it suits the shard better.
		if slices.ContainsFunc(line, func(c election.Candidate) bool { return !c.Hidden && better(k.shard, c.ID, k.me) }) {
			term.Resign()
			return
		}
		if example.Sleep(ctx, look) != nil {
			return
		}
	}
}

// Rendezvous hashing (Thaler and Ravishankar, 1998): each process has a score for each shard, and
// the one with the highest should lead it. Every process computes the same without asking anybody.
// When one goes, only its shards move, and they spread over all the others; when one comes, it
// takes a few from each.

// score says how well a process suits a shard.
func score(shard, process string) uint64 {
	sum := sha256.Sum256([]byte(shard + "\x00" + process))
	return binary.BigEndian.Uint64(sum[:])
}

// better reports whether process a suits a shard better than b.
func better(shard, a, b string) bool { return score(shard, a) > score(shard, b) }

// rank counts the processes that suit a shard better than this one.
func rank(shard, process string, processes []string) (n int) {
	for _, p := range processes {
		if p != process && better(shard, p, process) {
			n++
		}
	}
	return n
}
