package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session"
)

var names = []string{"alice", "bob", "carol", "dave", "erin"}

// candidates are those of this process, each with a session of its own.
type candidates struct {
	servers   *zookeeper.Ensemble
	term      time.Duration
	clients   []*session.Client
	elections []*election.Election
	locks     []*lock.Lock
}

// newCandidates makes candidates that the page is told of, and a lock for each.
func newCandidates(servers *zookeeper.Ensemble, o *options, page *recipehttp.Page, view *recipehttp.View) (*candidates, error) {
	all := &candidates{servers: servers, term: o.term}
	for i := range max(o.candidates, 0) {
		client, err := o.access.Open(servers.Connect, session.Config{Timeout: o.times.Timeout, Lease: o.times.Lease})
		if err != nil {
			all.close()
			return nil, err
		}
		all.clients = append(all.clients, client)
		cfg := election.Config{Data: []byte("a candidate in the status example")}
		if i < len(names) {
			cfg.ID = names[i]
		}
		el, err := election.New(client, o.path, cfg)
		if err != nil {
			all.close()
			return nil, err
		}
		all.elections = append(all.elections, el)
		view.Add(el)
		l, err := lock.New(client, o.path+"-lock", lock.Config{ID: cfg.ID})
		if err != nil {
			all.close()
			return nil, err
		}
		all.locks = append(all.locks, l)
		page.Add(l)
	}
	return all, nil
}

// recipes are what the liveness probe asks for.
func (all *candidates) recipes() (recipes []any) {
	for i, el := range all.elections {
		recipes = append(recipes, el, all.locks[i])
	}
	return recipes
}

func (all *candidates) close() {
	for _, client := range all.clients {
		client.Close()
	}
}

// share lets one after another hold the lock for a while.
func (all *candidates) share(ctx context.Context, l *lock.Lock) {
	for ctx.Err() == nil {
		l.Do(ctx, func(ctx context.Context, _ *lock.Held) error { // a loss is on the page
			timer := time.NewTimer(all.term / 4)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			return nil
		})
	}
}

// run lets all stand for election until ctx ends or one is refused for good.
func (all *candidates) run(ctx context.Context) error {
	defer all.close()
	standing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var each sync.WaitGroup
	for i, el := range all.elections {
		each.Go(func() { all.share(standing, all.locks[i]) })
		each.Go(func() {
			if err := el.Run(standing, all.lead(all.clients[i])); ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	<-standing.Done()
	each.Wait()
	if ctx.Err() != nil {
		return nil // it was told to end
	}
	return context.Cause(standing)
}

// errTired is why a leader resigns here.
var errTired = errors.New("has led for long enough")

// lead returns what a leader does: it leads for a while and then loses the leadership, by
// returning, or by the loss of its session where that can be brought about.
func (all *candidates) lead(client *session.Client) func(context.Context, *election.Term) error {
	return func(ctx context.Context, term *election.Term) error {
		timer := time.NewTimer(all.term/2 + rand.N(all.term))
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		e := all.servers.Embedded()
		switch rand.N(3) {
		case 0:
			return errTired
		case 1:
			if e != nil {
				e.ExpireSession(client.Status().Session)
				<-ctx.Done()
				return nil
			}
		}
		term.Resign()
		return nil
	}
}
