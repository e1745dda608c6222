package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// board sees who works at what, and whether two ever did at one time.
type board struct {
	mu      sync.Mutex // guards what follows
	work    map[string]piece
	both    []string // jobs at which two worked
	changed chan struct{}
}

type piece struct {
	id   string
	held *lock.Held
}

func newBoard() *board { return &board{work: map[string]piece{}, changed: make(chan struct{})} }

// begin notes that somebody works at a job.
func (b *board) begin(job, id string, held *lock.Held) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.work[job]; ok && old.held.Valid() && held.Valid() {
		b.both = append(b.both, fmt.Sprintf("%s by %s and %s", job, old.id, id))
	}
	b.work[job] = piece{id, held}
	b.tell()
}

// end notes that somebody does not any more.
func (b *board) end(job, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work[job].id == id {
		delete(b.work, job)
	}
	b.tell()
}

// tell wakes those who wait. The caller holds b.mu.
func (b *board) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until all jobs are worked at, by as many workers as members, of which none is gone.
func (b *board) await(ctx context.Context, jobs []string, members int, gone string) error {
	for {
		b.mu.Lock()
		by := map[string][]string{}
		for _, job := range jobs {
			if p := b.work[job]; p.id != "" && p.id != gone && p.held.Valid() {
				by[p.id] = append(by[p.id], job)
			}
		}
		held, both, changed := 0, b.both, b.changed
		for _, all := range by {
			held += len(all)
		}
		b.mu.Unlock()
		if len(both) > 0 {
			return fmt.Errorf("two workers at one time: %s", strings.Join(both, ", "))
		}
		if held == len(jobs) && len(by) == members {
			example.Say("all %d jobs are worked at, by %d workers", held, members)
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d jobs are worked at, by %d workers; want %d: %w", held, len(jobs), len(by), members, context.Cause(ctx))
		}
	}
}
