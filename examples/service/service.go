package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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

// newService puts an instance together. It does no I/O that could fail: connecting goes on in the
// background, and the service answers requests meanwhile.
func newService(cfg config) (*service, error) {
	client, err := session.Open(cfg.connect, cfg.session)
	if err != nil {
		return nil, err
	}
	candidate, err := election.New(client, cfg.path, election.Config{
		ID:   cfg.id,
		Data: []byte(cfg.url), // so that others know where the leader is
		// A leader that is told to stop gives its work half of the time, and the heir may lead as
		// soon as it has stopped.
		DrainTimeout: cfg.stopWithin / 2,
	})
	page, err2 := recipehttp.New(recipehttp.Config{})
	if err := errors.Join(err, err2); err != nil {
		client.Close()
		return nil, err
	}
	metrics, registry := recipeprom.New(), prometheus.NewRegistry()
	registry.MustRegister(metrics, recipeprom.ForClient(client))
	metrics.Add("service", candidate)
	page.Add(candidate)
	return &service{
		config: cfg, client: client, candidate: candidate, observer: candidate.Observe(), registry: registry, page: page,
	}, nil
}

// run serves requests and stands for election until ctx ends, or one of the parts fails, which
// stops the others. It returns when all have stopped and the session is closed.
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
	unlessTold := func(err error) error {
		if ctx.Err() != nil {
			return nil // the end of ctx is no failure
		}
		return err
	}
	group.Go(func() error { return unlessTold(s.candidate.Run(ctx, s.lead)) }) // an error: it never could lead
	group.Go(func() error {
		for {
			leader, err := s.observer.Next(ctx)
			if err != nil {
				return unlessTold(err) // an error: it never could read who leads
			}
			s.session.Logger.Info("leader seen", "leader", leader.ID, "url", string(leader.Data), "token", leader.Token, "hidden", leader.Hidden)
		}
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

// lead is the work of the leader: two jobs at the same time. If one fails the other is stopped, the
// leadership goes to the heir, and this instance enters the line again.
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

// remind and sweep stand for what is done in a database, which refuses a token older than the
// newest that it has seen with a read or a write.
func (s *service) remind(context.Context, int64) error { s.reminded.Add(1); return nil }
func (s *service) sweep(context.Context, int64) error  { s.swept.Add(1); return nil }

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("GET /leader", s.leader)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.Handle("GET /status", s.page)
	mux.Handle("GET /healthz", recipehttp.Health(recipehttp.HealthConfig{}, s.candidate))
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// root answers as any instance of a service does, the leader or not.
func (s *service) root(w http.ResponseWriter, _ *http.Request) {
	st := s.candidate.Status()
	fmt.Fprintf(w, "I am %s, %s. I have sent reminders %d times and swept %d times.\n", st.ID, st.State, s.reminded.Load(), s.swept.Load())
}

// leader tells who leads, as of a moment ago: good for sending a request there, not for acting as
// the leader, which takes a term.
func (s *service) leader(w http.ResponseWriter, _ *http.Request) {
	type answer struct {
		ID    string `json:"id"`
		URL   string `json:"url"`
		Token int64  `json:"token,string"` // it may be too large for a number in JavaScript
	}
	leader, known := s.observer.Current()
	switch {
	case !known:
		http.Error(w, "not known yet: no answer from ZooKeeper so far", http.StatusServiceUnavailable)
	case leader.Node == "":
		http.Error(w, "nobody leads", http.StatusServiceUnavailable)
	case leader.Hidden: // as while some instances have got credentials, and this one has none
		http.Error(w, "the leader's znode must not be read with the credentials of this instance", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer{leader.ID, string(leader.Data), leader.Token})
	}
}

// ready fails once the instance is being stopped, so that no new clients are sent here.
func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
