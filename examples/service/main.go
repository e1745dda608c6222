// Service is an HTTP service of which every instance answers requests, and one, the
// leader, also does the work that must not be done twice:
//
//	go run ./examples/service                                      on servers in this process
//	go run ./examples/service -zk zk1:2181,zk2:2181                on an ensemble of yours
//	go run ./examples/service -zk ... -listen 127.0.0.1:8081       another instance
//
//	GET /          what this instance is and has done
//	GET /leader    who leads, in JSON
//	GET /metrics   for Prometheus: package recipeprom, with its alerts.yml
//	GET /status    a page for people: package recipehttp
//	GET /healthz   for a liveness probe: 503 if a restart would do good
//	GET /readyz    for a readiness probe: 503 once the instance is being stopped
//
// Neither probe asks who leads: an instance that waits in line is healthy, and ready to
// answer requests.
//
// SIGTERM or SIGINT stops it in good order: /readyz fails, the leader's work stops and the
// leadership goes to the heir, requests are answered for -linger yet, the session is
// closed. That takes -stop-within at most. What has not stopped by then ends with the process,
// and the exit code is 1. A second signal ends the program at once.
//
// The file service.go is the part to copy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() { os.Exit(run(os.Args[1:])) }

// options are the flags.
type options struct {
	zk, path, id, listen string
	times                flags.Times // of the session
	access               flags.Access
	stopWithin, linger   time.Duration
}

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 15 * time.Second, Lease: session.DefaultLease}
	f := flag.NewFlagSet("service", flag.ContinueOnError)
	connect := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/service", "the election's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this instance's `name` (default host, process id and a random part)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to serve HTTP on; port 0 means a free one")
	o.times.Define(f)
	o.access.Define(f)
	f.DurationVar(&o.stopWithin, "stop-within", 10*time.Second, "how long stopping may take")
	f.DurationVar(&o.linger, "linger", time.Second, "how long to go on answering requests after /readyz fails,\nfor load balancers to notice; longer than their probes' period")
	err = f.Parse(args)
	o.zk = *connect
	switch {
	case err != nil:
		return o, err
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.stopWithin <= 0:
		err = fmt.Errorf("-stop-within is %v; want a positive duration such as 10s", o.stopWithin)
	case o.linger < 0 || o.linger > o.stopWithin/2:
		err = fmt.Errorf("-linger is %v; want at most half of -stop-within, which is %v", o.linger, o.stopWithin)
	}
	if err == nil {
		err = errors.Join(o.times.Check(f, time.Minute), o.access.Check())
	}
	if err != nil {
		complain(err)
	}
	return o, err
}

func complain(err error) { fmt.Fprintln(os.Stderr, "service:", err) }

// run is the program; it returns the exit code.
func run(args []string) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	ctx, uncatch := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer uncatch()
	context.AfterFunc(ctx, uncatch) // a second signal ends the program at once
	done := make(chan error, 1)
	go func() { done <- serve(ctx, o) }()
	if err := await(ctx, o.stopWithin, done); err != nil {
		complain(err)
		return 1
	}
	return 0
}

// await returns the service's error, or one of its own if the service does not end within
// that time after ctx. The end of the process then ends all: the session, which is not
// closed, expires, and with it the leadership.
func await(ctx context.Context, stopWithin time.Duration, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopWithin):
		return fmt.Errorf("not stopped within %v; something does not stop when its context ends", stopWithin)
	}
}

// serve runs one instance until ctx ends.
func serve(ctx context.Context, o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w; -listen names another address", err)
	}
	defer listener.Close()
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close() // last: the session is to be closed before
	fmt.Printf("ZooKeeper: %s\nhttp://%s/ /leader /metrics /status /healthz /readyz\n", ensemble.Name, listener.Addr())
	if ensemble.Embedded() != nil {
		fmt.Printf("Another instance: go run ./examples/service -zk %s -listen 127.0.0.1:0\n", ensemble.Connect)
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	sessions := session.Config{Timeout: o.times.Timeout, Lease: o.times.Lease, Logger: log}
	if err := o.access.Apply(&sessions); err != nil {
		return err
	}
	s, err := newService(config{
		connect: ensemble.Connect, path: o.path, id: o.id, session: sessions, stopWithin: o.stopWithin, linger: o.linger,
		url: "http://" + listener.Addr().String(), log: log,
	})
	if err != nil {
		return err
	}
	return s.run(ctx, listener)
}
