package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/election/electionhttp"
	"github.com/zkrecipe/zkrecipe/session"
)

var names = []string{"alice", "bob", "carol", "dave", "erin"}

// candidates are those of this process, each with a session of its own.
type candidates struct {
	servers   *zookeeper.Ensemble
	term      time.Duration
	clients   []*session.Client
	elections []*election.Election
}

// newCandidates makes candidates that the page is told of.
func newCandidates(servers *zookeeper.Ensemble, o *options, view *electionhttp.View) (*candidates, error) {
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
	}
	return all, nil
}

func (all *candidates) close() {
	for _, client := range all.clients {
		client.Close()
	}
}

// run lets all stand for election until ctx ends or one is refused for good.
func (all *candidates) run(ctx context.Context) error {
	defer all.close()
	standing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var each sync.WaitGroup
	for i, el := range all.elections {
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
