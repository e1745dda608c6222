// Service is an HTTP service of which every instance answers requests, and one, the leader, also
// does the work that must not be done twice:
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
// SIGTERM or SIGINT stops it in good order: /readyz fails, the leader's work stops and the
// leadership goes to the heir, requests are answered for -linger yet, the session is closed. What
// has not stopped within -stop-within ends with the process, and the exit code is 1. The file
// service.go is the part to copy.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

// program is the example with its own flags.
type program struct {
	*example.Program
	config
	listen string
}

func main() {
	p := &program{Program: example.New("service", "/zkrecipe/service", 15*time.Second, 0)}
	p.Flags.StringVar(&p.id, "id", "", "this instance's `name` (default host, process id and a random part)")
	p.Flags.StringVar(&p.listen, "listen", "127.0.0.1:8080", "`address` to serve HTTP on; port 0 means a free one")
	p.Flags.DurationVar(&p.stopWithin, "stop-within", 10*time.Second, "how long stopping may take")
	p.Flags.DurationVar(&p.linger, "linger", time.Second, "how long to go on answering requests after /readyz fails,\nfor load balancers to notice; longer than their probes' period")
	p.Main(p.check, p.run)
}

func (p *program) check() error {
	switch {
	case p.stopWithin <= 0:
		return fmt.Errorf("-stop-within is %v; want a positive duration such as 10s", p.stopWithin)
	case p.linger < 0 || p.linger > p.stopWithin/2:
		return fmt.Errorf("-linger is %v; want at most half of -stop-within, which is %v", p.linger, p.stopWithin)
	}
	return nil
}

// run runs one instance until ctx ends.
func (p *program) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		return fmt.Errorf("%w; -listen names another address", err)
	}
	fmt.Printf("ZooKeeper: %s\nhttp://%s/ /leader /metrics /status /healthz /readyz\n", p.Servers, listener.Addr())
	if p.Embedded != nil {
		fmt.Printf("Another instance: go run ./examples/service -zk %s -listen 127.0.0.1:0\n", p.Connect)
	}
	p.Session.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
	p.connect, p.path, p.session, p.url = p.Connect, p.Path, p.Session, "http://"+listener.Addr().String()
	s, err := newService(p.config)
	if err != nil {
		return example.Mistake(err)
	}
	// What has not stopped in time ends with the process: the session expires, and with it the
	// leadership.
	return example.Within(ctx, p.stopWithin, func(ctx context.Context) error { return s.run(ctx, listener) })
}
