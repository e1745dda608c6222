package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// holding is what is held, whatever the recipe.
type holding interface {
	Context() context.Context
	Valid() bool
	Remaining() time.Duration
	Token() int64
	Release(context.Context) error
}

// means is how to get it.
type means struct {
	acquire, try func(context.Context) (holding, error)
}

// recipes make what the flag -recipe names. A further recipe needs a line here, and perhaps a flag.
var recipes = map[string]func(*session.Client, *program) (means, error){
	"lock":      exclusive,
	"read":      ofRW((*lock.RW).Read),
	"write":     ofRW((*lock.RW).Write),
	"semaphore": permits,
}

func recipeNames() []string { return slices.Sorted(maps.Keys(recipes)) }

func exclusive(client *session.Client, p *program) (means, error) {
	l, err := lock.New(client, p.Path, p.config())
	if err != nil {
		return means{}, err
	}
	return ofLock(l), nil
}

// ofRW makes one side of a read-write lock.
func ofRW(side func(*lock.RW) *lock.Lock) func(*session.Client, *program) (means, error) {
	return func(client *session.Client, p *program) (means, error) {
		rw, err := lock.NewRW(client, p.Path, p.config())
		if err != nil {
			return means{}, err
		}
		return ofLock(side(rw)), nil
	}
}

func (p *program) config() lock.Config {
	return lock.Config{ID: p.id, Style: lock.Style(p.style), OnEvent: p.lockEvent}
}

// ofLock are means whose errors need no translation.
func ofLock(l *lock.Lock) means {
	with := func(acquire func(context.Context) (*lock.Held, error)) func(context.Context) (holding, error) {
		return func(ctx context.Context) (holding, error) {
			h, err := acquire(ctx)
			if err != nil {
				return nil, err // not a nil *Held, which is no nil holding
			}
			return h, nil
		}
	}
	return means{with(l.Acquire), with(l.TryAcquire)}
}

// permits have slots, which the line "acquired" tells, unless -slots says otherwise.
func permits(client *session.Client, p *program) (means, error) {
	cfg := semaphore.Config{ID: p.id, Slots: p.slots, OnEvent: p.permitEvent}
	s, err := semaphore.New(client, p.Path, p.size, cfg)
	if err != nil {
		return means{}, err
	}
	with := func(acquire func(context.Context) (*semaphore.Permit, error)) func(context.Context) (holding, error) {
		return func(ctx context.Context) (holding, error) {
			p, err := acquire(ctx)
			if err != nil {
				return nil, err
			}
			return p, nil
		}
	}
	return means{with(s.Acquire), with(s.TryAcquire)}, nil
}

// slotOf returns the fields that tell the slot of what is held, if it has one.
func slotOf(h holding) []any {
	p, ok := h.(*semaphore.Permit)
	if !ok || len(p.Slots()) == 0 {
		return nil
	}
	return []any{"slot", p.Slot().Number()}
}

// isBusy reports whether another has what was tried.
func isBusy(err error) bool { return errors.Is(err, lock.ErrBusy) || errors.Is(err, semaphore.ErrBusy) }

// lossOf returns the reason if what is held was lost, and "" if its end was chosen.
func lossOf(h holding) string {
	var ended *recipe.EndedError
	if errors.As(context.Cause(h.Context()), &ended) && !ended.Reason.Chosen() {
		return ended.Reason.String()
	}
	return ""
}
