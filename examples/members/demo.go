package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/cable"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// worker is a member with a client, and a network that can be cut, of its own: as if it were
// another process.
type worker struct {
	*group.Member
	client *session.Client
	cable  *cable.Cable
}

// start starts a worker, which is listed when start returns.
func (p *program) start(ctx context.Context, id string) (*worker, error) {
	w := &worker{cable: &cable.Cable{}}
	var err error
	w.client, err = w.cable.Client(p.Program)
	if err != nil {
		return nil, err
	}
	g, err := group.New(w.client, p.Path, group.Config{ID: id})
	if err != nil {
		return nil, err
	}
	w.Member, err = g.Join(ctx)
	return w, err
}

// demonstrate lets workers come and go, one step after the list has shown the other.
func (p *program) demonstrate(ctx context.Context, s *screen) error {
	workers := map[string]*worker{}
	defer func() {
		for _, w := range workers {
			w.client.Close()
		}
	}()
	for _, id := range []string{"alice", "bob", "carol"} {
		w, err := p.start(ctx, id)
		if err != nil {
			return err
		}
		workers[id] = w
	}
	if err := s.until(ctx, shows(3)); err != nil {
		return err
	}

	s.out.say("bob says what it does")
	if err := workers["bob"].Set(ctx, []byte("job 17")); err != nil {
		return err
	}
	err := s.until(ctx, func(now group.Snapshot) bool { e, _ := now.ByID("bob"); return len(e.Data) > 0 })
	if err != nil {
		return err
	}

	s.out.say("carol leaves")
	if err := workers["carol"].Leave(ctx); err != nil {
		return err
	}
	if err := s.until(ctx, shows(2)); err != nil {
		return err
	}

	if err := p.restart(ctx, s, workers); err != nil {
		return err
	}
	return crash(ctx, s, workers["bob"])
}

// restart starts alice again while the former process still seems to live. Nobody sees the name
// missing.
func (p *program) restart(ctx context.Context, s *screen, workers map[string]*worker) error {
	s.out.say("alice is killed and starts again")
	old := workers["alice"]
	workers["alice's former self"] = old
	old.cable.Cut()
	before, _ := s.last.ByID("alice")
	w, err := p.start(ctx, "alice")
	if err != nil {
		return err
	}
	workers["alice"] = w
	fewest := len(s.last.Members)
	err = s.until(ctx, func(now group.Snapshot) bool {
		fewest = min(fewest, len(now.Members))
		e, _ := now.ByID("alice")
		return e.Token > before.Token
	})
	if err == nil && fewest < 2 {
		err = fmt.Errorf("the list had %d members for a moment; want 2", fewest)
	}
	return err
}

// crash cuts a worker off, and compares when it knew with when the others did.
func crash(ctx context.Context, s *screen, w *worker) error {
	listing, err := w.Listing(ctx)
	if err != nil {
		return err
	}
	s.out.say("%s is cut off", w.ID())
	begun := time.Now()
	w.cable.Cut()
	select {
	case <-listing.Context().Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.out.say("%s stops after %.1f s: %v", w.ID(), time.Since(begun).Seconds(), context.Cause(listing.Context()))
	if err := s.until(ctx, shows(1)); err != nil {
		return err
	}
	if listing.Valid() {
		return errors.New("a worker counts itself listed that the others have seen gone")
	}
	s.out.say("the others saw it gone after %.1f s, when its session had expired", time.Since(begun).Seconds())
	return nil
}

func shows(n int) func(group.Snapshot) bool {
	return func(now group.Snapshot) bool { return len(now.Members) == n }
}
