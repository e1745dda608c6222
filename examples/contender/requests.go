package main

import (
	"context"
	"fmt"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// request is a command that asks the servers. It changes nothing about what this process holds, and
// nobody who reads stdin waits for it.
type request func(context.Context) error

// request has something done in the goroutine of carryOut. It is nil if the recipe does not have
// it.
func (p *program) request(name string, do request) {
	if do == nil {
		want := map[string]string{"revoke": "lock, read or write", "resize": "semaphore"}[name]
		p.out.Fail(fmt.Errorf("cannot %s: -recipe is %s; want %s", name, p.recipe, want))
		return
	}
	select {
	case p.requests <- do:
	default:
		p.out.Fail(fmt.Errorf("cannot %s: two earlier requests are not answered yet", name))
	}
}

// carryOut carries out requests, one after the other, until ctx ends.
func (p *program) carryOut(ctx context.Context) {
	for {
		select {
		case do := <-p.requests:
			if err := do(ctx); err != nil && ctx.Err() == nil {
				p.out.Fail(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// resizer returns what changes how many permits there are, nil if there are none. It tells before
// that it begins: the size may be changed also if it ends with an error, or does not end.
func (p *program) resizer(size int) request {
	if p.means.resize == nil {
		return nil
	}
	return func(ctx context.Context) error {
		p.out.Write("resizing", "size", size)
		if err := p.means.resize(ctx, size); err != nil {
			return err
		}
		p.out.Write("resized", "size", size)
		return nil
	}
}

// onRevoke has the goroutine that keeps the lock release it.
func (p *program) onRevoke(h *lock.Held) {
	select {
	case p.revoked <- h:
	case <-h.Context().Done():
	}
}
