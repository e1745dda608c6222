// Status serves a page that shows an election live: leader, heir, the line of succession, fencing
// tokens, the lease, who led when and why terms ended; and who of this process holds a lock, and
// waits for it.
//
//	go run ./examples/status                                         with an ensemble and three candidates of its own
//	go run ./examples/status -zk 127.0.0.1:2181 -path /billing       the page alone, of an election of yours
//
// Then open http://127.0.0.1:8080/; /healthz is for liveness probes. Without -zk, leaders lose
// their leadership now and then, by resigning or by the loss of their session, so that there is
// something to see. SIGTERM and SIGINT end the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
	"github.com/zkrecipe/zkrecipe/session"
)

// program is the example with its own flags.
type program struct {
	*example.Program
	listen     string
	candidates int
	term       time.Duration
	data       bool
}

func main() {
	p := &program{Program: example.New("status", "/zkrecipe/status", 10*time.Second, time.Second)}
	p.Flags.StringVar(&p.listen, "listen", "127.0.0.1:8080", "where to serve, as `host:port`; port 0 takes a free one")
	p.Flags.IntVar(&p.candidates, "candidates", -1, "how many candidates to run in this process (default 3, with -zk none)")
	p.Flags.Lookup("candidates").DefValue = "0" // the text says it
	p.Flags.DurationVar(&p.term, "term", 12*time.Second, "how long candidates of this process lead before they lose the leadership")
	p.Flags.BoolVar(&p.data, "data", false, "show what candidates say of themselves beside their IDs")
	p.Main(p.check, p.run)
}

func (p *program) check() error {
	switch {
	case p.candidates < -1 || p.candidates > 100:
		return fmt.Errorf("-candidates is %d; want 0 to 100", p.candidates)
	case p.term < 100*time.Millisecond:
		return fmt.Errorf("-term is %v; want 100ms or more", p.term)
	case p.candidates == -1 && p.Connect == "":
		p.candidates = 3
	}
	return nil
}

// run serves the page and runs the candidates until ctx ends or one of the two fails.
func (p *program) run(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	page, err := recipehttp.New(recipehttp.Config{Data: p.data})
	if err != nil {
		return err
	}
	defer page.Close()
	view, err := page.Observe(client, p.Path)
	if err != nil {
		return example.Mistake(err)
	}
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	mux := http.NewServeMux()
	var recipes []any // the liveness probe asks for them
	for i := range max(p.candidates, 0) {
		c, err := p.newCandidate(i)
		if err != nil {
			return err
		}
		defer c.client.Close()
		view.Add(c.election)
		page.Add(c.lock)
		recipes = append(recipes, c.election, c.lock)
		group.Go(func() error { return c.run(ctx) })
	}
	mux.Handle("/{$}", page)
	mux.Handle("/healthz", recipehttp.Health(recipehttp.HealthConfig{}, recipes...))
	fmt.Printf("The election %s on %s is shown at http://%s/\n", p.Path, p.Servers, listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error {
		<-ctx.Done()
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer done()
		server.Shutdown(closing) // an error means that somebody is slow, who is then cut off
		return server.Close()
	})
	if err := group.Wait(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

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

// run stands for election until ctx ends or that is refused for good. Meanwhile it holds the lock
// now and then.
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

// lead leads for a while and then loses the leadership, by returning, or by the loss of its session
// where that can be brought about.
func (c *candidate) lead(ctx context.Context, term *election.Term) error {
	if example.Sleep(ctx, c.term/2+rand.N(c.term)) != nil {
		return nil
	}
	switch how := rand.N(3); {
	case how == 0:
		return errors.New("has led for long enough")
	case how == 1 && c.Embedded != nil:
		c.Embedded.ExpireSession(c.client.Status().Session)
		<-ctx.Done()
	default:
		term.Resign()
	}
	return nil
}
