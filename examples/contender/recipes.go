package main

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

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
	Release(context.Context) error
}

// part is what is held at one path.
type part interface {
	holding
	Token() int64
	Node() string
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
}

// means is how to get it, and what else can be asked for.
type means struct {
	acquire, try func(context.Context) (holding, error)
	revoke       request                          // nil: a semaphore has none
	resize       func(context.Context, int) error // nil: a lock has none
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
	return p.locks(func(path string) (*lock.Lock, error) { return lock.New(client, path, p.config()) })
}

// ofRW makes one side of a read-write lock.
func ofRW(side func(*lock.RW) *lock.Lock) func(*session.Client, *program) (means, error) {
	return func(client *session.Client, p *program) (means, error) {
		return p.locks(func(path string) (*lock.Lock, error) {
			rw, err := lock.NewRW(client, path, p.config())
			if err != nil {
				return nil, err
			}
			return side(rw), nil
		})
	}
}

func (p *program) config() lock.Config {
	return lock.Config{ID: p.id, Style: lock.Style(p.style), OnEvent: p.lockEvent, OnRevoke: p.onRevoke}
}

// locks are the means of the lock at the path, or of the locks at all paths.
func (p *program) locks(open func(path string) (*lock.Lock, error)) (means, error) {
	var all []*lock.Lock
	for _, path := range strings.Split(p.Path, ",") {
		l, err := open(path)
		if err != nil {
			return means{}, err
		}
		all = append(all, l)
	}
	revoke := func(ctx context.Context) (err error) {
		for _, l := range all {
			err = errors.Join(err, l.Revoke(ctx))
		}
		return err
	}
	if len(all) > 1 {
		set := func(ctx context.Context) (*lock.Set, error) { return lock.All(ctx, all...) }
		return means{acquire: with(set), revoke: revoke}, nil
	}
	return means{acquire: with(all[0].Acquire), try: with(all[0].TryAcquire), revoke: revoke}, nil
}

// with makes what is acquired a holding.
func with[H holding](
	acquire func(context.Context) (H, error),
) func(context.Context) (holding, error) {
	return func(ctx context.Context) (holding, error) {
		h, err := acquire(ctx)
		if err != nil {
			return nil, err // not a nil *Held, which is no nil holding
		}
		return h, nil
	}
}

// permits have slots, which the line "acquired" tells, unless -slots says otherwise.
func permits(client *session.Client, p *program) (means, error) {
	cfg := semaphore.Config{ID: p.id, Slots: p.slots, OnEvent: p.permitEvent}
	s, err := semaphore.New(client, p.Path, p.size, cfg)
	if err != nil {
		return means{}, err
	}
	several := func(ctx context.Context) (*semaphore.Permit, error) { return s.AcquireN(ctx, p.permits) }
	return means{acquire: with(several), try: with(s.TryAcquire), resize: s.Resize}, nil
}

// partsOf are the locks of a set, or what is held itself.
func partsOf(h holding) (all []part) {
	set, ok := h.(*lock.Set)
	if !ok {
		return []part{h.(part)}
	}
	for _, one := range set.Held() {
		all = append(all, one)
	}
	return all
}

// named returns the fields that name a part of h: its token, and its path if there are several.
func named(one part, h holding) (fields []any) {
	if _, ok := h.(*lock.Set); ok {
		fields = append(fields, "path", path.Dir(one.Node()))
	}
	return append(fields, "token", one.Token())
}

// permitsOf returns the fields that tell how many permits are held, if it is not one, and their
// slots, if they have some.
func permitsOf(h holding) (fields []any) {
	p, ok := h.(*semaphore.Permit)
	if !ok {
		return nil
	}
	if p.N() > 1 {
		fields = append(fields, "permits", p.N())
	}
	slots := []int{}
	for _, slot := range p.Slots() {
		slots = append(slots, slot.Number())
	}
	switch {
	case len(slots) == 1:
		fields = append(fields, "slot", slots[0])
	case len(slots) > 1:
		fields = append(fields, "slots", slots)
	}
	return fields
}

// writerOf returns what can be downgraded, or nil.
func (p *program) writerOf(h holding) *lock.Held {
	if writer, ok := h.(*lock.Held); ok && p.recipe == "write" {
		return writer
	}
	return nil
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
