package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// teller moves money. It looks at two accounts and writes both, under the lock.
type teller struct {
	name   string
	client *session.Client
	bank   *bank
	path   string
	stall  time.Duration // how long it stands still once, after its znode was deleted; 0 for never
}

func (t *teller) work(ctx context.Context, moves int) error {
	l, err := lock.New(t.client, t.path, lock.Config{ID: t.name})
	if err != nil {
		return err
	}
	for i := range moves {
		stall := t.stall > 0 && i == moves/10
		err := l.Do(ctx, func(ctx context.Context, held *lock.Held) error { return t.move(ctx, held, i, stall) })
		switch {
		case errors.Is(err, errStale):
			fmt.Printf("%-6s was refused: it had lost the lock (%v)\n", t.name, lossOf(err))
		case stall && errors.Is(err, recipe.ReasonNodeDeleted): // there is no fence: nobody has refused it
			fmt.Printf("%-6s wrote although it had lost the lock\n", t.name)
		case err != nil:
			return fmt.Errorf("%s: %w", t.name, err)
		}
		time.Sleep(rest)
	}
	return nil
}

// move moves an amount between two accounts. Between its look and its write nobody else may write.
// The look shows the token, too. Without that, a write of an earlier holder could come after our
// look, and ours would undo it.
func (t *teller) move(ctx context.Context, held *lock.Held, i int, stall bool) error {
	from, to := i%accounts, (i+1)%accounts
	a, b, err := t.bank.look(held.Token(), from, to)
	if err != nil {
		return err
	}
	if stall {
		t.standStill(ctx, held)
	} else if !held.Valid() { // before each write, because it costs next to nothing
		return context.Cause(held.Context())
	}
	amount := 1 + i%10
	return t.bank.write(held.Token(), map[int]int{from: a - amount, to: b + amount})
}

// standStill is what happens to a program that is paused: the world goes on, and it does not
// notice.
func (t *teller) standStill(ctx context.Context, held *lock.Held) {
	fmt.Printf("%-6s stands still with the lock; its znode is deleted\n", t.name)
	if s, err := t.client.Session(ctx); err == nil {
		s.Delete(ctx, held.Node(), -1)
	}
	time.Sleep(t.stall)
}

// lossOf returns why a lock was lost.
func lossOf(err error) error {
	var ended *recipe.EndedError
	if errors.As(err, &ended) {
		return ended.Reason
	}
	return err
}
