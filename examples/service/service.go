package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/session"
)

// config is what a service is made with.
type config struct {
	connect, path, id, url string
	session                session.Config
	stopWithin, linger     time.Duration
}

// service is one instance.
type service struct {
	config
	client    *session.Client
	candidate *election.Election
	observer  *election.Observer
	registry  *prometheus.Registry
	page      *recipehttp.Page

	stopping        atomic.Bool
	reminded, swept atomic.Int64 // what this instance has done as the leader
}

// newService puts an instance together. It does no I/O that could fail: connecting goes on
// in the background, and the service answers requests meanwhile.
func newService(cfg config) (*service, error) {
	client, err := session.Open(cfg.connect, cfg.session)
	if err != nil {
		return nil, err
	}
	page, err := recipehttp.New(recipehttp.Config{})
	if err != nil {
		client.Close()
		return nil, err
	}
	s := &service{config: cfg, client: client, registry: prometheus.NewRegistry(), page: page}
	metrics := recipeprom.New()
	s.registry.MustRegister(metrics, recipeprom.ForClient(client))
	s.candidate, err = election.New(client, cfg.path, election.Config{
		ID:   cfg.id,
		Data: []byte(cfg.url), // so that others know where the leader is
		// A leader that is told to stop gives its work half of the time, and the heir may
		// lead as soon as it has stopped.
		DrainTimeout: cfg.stopWithin / 2,
	})
	if err != nil {
		page.Close()
		client.Close()
		return nil, err
	}
	metrics.Add("service", s.candidate)
	page.Add(s.candidate)
	s.observer = s.candidate.Observe()
	return s, nil
}

// run serves requests and stands for election until ctx ends, or one of the parts fails,
// which stops the others. It returns when all have stopped and the session is closed.
func (s *service) run(ctx context.Context, listener net.Listener) error {
	defer s.client.Close() // after the candidate has left the line
	defer s.page.Close()
	defer s.observer.Close()
	group, ctx := errgroup.WithContext(ctx)
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		if err := s.candidate.Run(ctx, s.lead); ctx.Err() == nil {
			return err // it never could lead; the end of ctx is no failure
		}
		return nil
	})
	group.Go(func() error {
		err := s.observer.Follow(ctx, func(leader election.Candidate) {
			s.session.Logger.Info("leader seen", "leader", leader.ID, "url", string(leader.Data), "token", leader.Token, "hidden", leader.Hidden)
		})
		if ctx.Err() == nil {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return s.shutdown(context.WithoutCancel(ctx), server)
	})
	return group.Wait()
}

// shutdown ends the serving of requests, while the candidate leaves the line.
func (s *service) shutdown(ctx context.Context, server *http.Server) error {
	s.stopping.Store(true)
	s.session.Logger.Info("stopping", "linger", s.linger)
	time.Sleep(s.linger) // those who have not looked at /readyz yet are still served
	ctx, cancel := context.WithTimeout(ctx, s.stopWithin/4)
	defer cancel()
	return server.Shutdown(ctx)
}

// lead is the work of the leader: two jobs at the same time. If one fails the other is
// stopped, the leadership goes to the heir, and this instance enters the line again.
func (s *service) lead(ctx context.Context, term *election.Term) error {
	jobs, ctx := errgroup.WithContext(ctx)
	jobs.Go(func() error { return every(ctx, term, time.Second, s.remind) })
	jobs.Go(func() error { return every(ctx, term, 3*time.Second, s.sweep) })
	return jobs.Wait() // for all of the work: when lead returns, another may lead
}

// every does a unit of work now and then, until the term is over.
func every(ctx context.Context, term *election.Term, pause time.Duration, unit func(context.Context, int64) error) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		if !term.Valid() { // right before each unit: the context alone may be late
			return nil
		}
		if err := unit(ctx, term.Token()); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// remind and sweep stand for what is done in a database, which refuses a token older than
// the newest that it has seen with a read or a write.
func (s *service) remind(context.Context, int64) error { s.reminded.Add(1); return nil }
func (s *service) sweep(context.Context, int64) error  { s.swept.Add(1); return nil }
