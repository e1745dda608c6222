// Status serves a page that shows an election live: leader, heir, the line of succession,
// fencing tokens, the lease, who led when and why terms ended.
//
//	go run ./examples/status                                         with an ensemble and three candidates of its own
//	go run ./examples/status -zk 127.0.0.1:2181 -path /billing       the page alone, of an election of yours
//
// Then open http://127.0.0.1:8080/; /healthz is for liveness probes. Without -zk, leaders
// lose their leadership now and then, by resigning or by the loss of their session, so that
// there is something to see. SIGTERM and SIGINT end the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/election/electionhttp"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	zk, path, listen string
	candidates       int
	times            flags.Times
	access           flags.Access
	term             time.Duration
	data             bool
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{times: flags.Times{Timeout: 10 * time.Second, Lease: time.Second}}
	f := flag.NewFlagSet("status", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors, once
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/status", "the election's `znode`")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "where to serve, as `host:port`; port 0 takes a free one")
	f.IntVar(&o.candidates, "candidates", -1, "how many candidates to run in this process (default 3, with -zk none)")
	f.Lookup("candidates").DefValue = "0" // the text says it
	o.times.Define(f)
	o.access.Define(f)
	f.DurationVar(&o.term, "term", 12*time.Second, "how long candidates of this process lead before they lose the leadership")
	f.BoolVar(&o.data, "data", false, "show what candidates say of themselves beside their IDs")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(stderr)
			f.Usage()
		}
		return nil, err
	}
	o.zk = *zk
	if o.candidates == -1 && o.zk == "" {
		o.candidates = 3
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.candidates < -1 || o.candidates > 100:
		return nil, fmt.Errorf("-candidates is %d; want 0 to 100", o.candidates)
	case o.term < 100*time.Millisecond:
		return nil, fmt.Errorf("-term is %v; want 100ms or more", o.term)
	}
	return o, errors.Join(o.times.Check(f, time.Minute), o.access.Check())
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "status:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "status:", err)
		return 1
	}
	return 0
}

// serve serves the page until ctx ends.
func serve(ctx context.Context, o *options, stdout io.Writer) error {
	servers, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer servers.Close()
	client, err := o.access.Open(servers.Connect, session.Config{Timeout: o.times.Timeout, Lease: o.times.Lease})
	if err != nil {
		return err
	}
	defer client.Close()
	page, err := electionhttp.New(electionhttp.Config{Data: o.data})
	if err != nil {
		return err
	}
	defer page.Close()
	view, err := page.Observe(client, o.path)
	if err != nil {
		return err
	}
	all, err := newCandidates(servers, o, view)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		all.close()
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", page)
	mux.Handle("/healthz", electionhttp.Health(electionhttp.HealthConfig{}, all.elections...))
	fmt.Fprintf(stdout, "The election %s on %s is shown at http://%s/\n", o.path, servers.Name, listener.Addr())
	return work(ctx, listener, mux, all)
}

// work serves HTTP and runs the candidates until ctx ends or one of the two fails.
func work(ctx context.Context, listener net.Listener, handler http.Handler, all *candidates) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	var standing, serving error
	both.Go(func() {
		defer cancel()
		standing = all.run(ctx)
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	both.Go(func() {
		defer cancel()
		serving = server.Serve(listener)
	})
	<-ctx.Done()
	closing, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	server.Shutdown(closing) // an error means that somebody is slow, who is then cut off
	server.Close()
	both.Wait()
	if errors.Is(serving, http.ErrServerClosed) {
		serving = nil
	}
	return errors.Join(standing, serving)
}
