package main

import (
	"context"
	"errors"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

var names = []string{"alice", "bob", "carol", "dave", "erin"}

// candidate is one of those of this process, with a session of its own. It also wants a lock.
type candidate struct {
	*program
	client   *session.Client
	election *election.Election
	lock     *lock.Lock
}

// newCandidate makes the i-th candidate. The first ones have names.
func (p *program) newCandidate(i int) (*candidate, error) {
	client, err := p.Client()
	if err != nil {
		return nil, err
	}
	cfg := election.Config{Data: []byte("a candidate in the status example")}
	if i < len(names) {
		cfg.ID = names[i]
	}
	el, err := election.New(client, p.Path, cfg)
	l, err2 := lock.New(client, p.Path+"-lock", lock.Config{ID: cfg.ID})
	return &candidate{p, client, el, l}, errors.Join(err, err2)
}

// run stands for election until ctx ends or that is refused for good. Meanwhile it holds the lock now and then.
func (c *candidate) run(ctx context.Context) error {
	both, working := errgroup.WithContext(ctx)
	both.Go(func() error { return c.election.Run(working, c.lead) })
	both.Go(func() error {
		for working.Err() == nil {
			_ = c.lock.Do(working, func(ctx context.Context, _ *lock.Held) error { // a loss is on the page
				return example.Sleep(ctx, c.term/4)
			})
		}
		return nil
	})
	if err := both.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // it was told to end
}

// errTired is why a leader resigns here.
var errTired = errors.New("has led for long enough")

// lead leads for a while and then loses the leadership, by returning, or by the loss of its session where that can be
// brought about.
func (c *candidate) lead(ctx context.Context, term *election.Term) error {
	if example.Sleep(ctx, c.term/2+rand.N(c.term)) != nil {
		return nil
	}
	switch how := rand.N(3); {
	case how == 0:
		return errTired
	case how == 1 && c.Embedded != nil:
		c.Embedded.ExpireSession(c.client.Status().Session)
		<-ctx.Done()
	default:
		term.Resign()
	}
	return nil
}
