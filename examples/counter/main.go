// Counter adds to a counter that many processes share, for shells and fault tests:
//
//	go run ./examples/counter                                                          on an ensemble of its own
//	go run ./examples/counter -zk 127.0.0.1:2181 -path /orders -add 1 -times 1000
//
// It prints exactly one JSON object for each addition, one a line, unbuffered:
//
//	{"t":1203948571203,"id":"host-4711","event":"added","add":1,"count":7}
//	{"t":1203948577112,"id":"host-4711","event":"unknown","add":1,"from":7,"to":8,"error":"..."}
//
// The clock of t is CLOCK_MONOTONIC in nanoseconds, so the lines of several processes on one
// machine can be put in order. "added" was done, once. "unknown" was done once or not at all: the
// session was lost with the answer, or the program was told to end. "error" was not done, and ends
// the program with 1. The counter has grown by the sum of all processes' "added", and of those
// "unknown" that were done. SIGTERM and SIGINT end the program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const minTimeout, maxTimeout = 500 * time.Millisecond, time.Minute

// options are the flags.
type options struct {
	zk, path, id string
	add          int64
	times        int
	timeout      time.Duration
	access       flags.Access
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("counter", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors, once
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/counter", "the counter's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this process's `name` (default host name and process id)")
	f.Int64Var(&o.add, "add", 1, "what to add each time")
	f.IntVar(&o.times, "times", 10, "how many times")
	f.DurationVar(&o.timeout, "timeout", 15*time.Second, "session timeout to ask for")
	o.access.Define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(stderr)
			f.Usage()
		}
		return nil, err
	}
	o.zk, o.id = *zk, flags.ID(o.id)
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.times < 1:
		return nil, fmt.Errorf("-times is %d; want at least 1", o.times)
	case o.timeout < minTimeout || o.timeout > maxTimeout:
		return nil, fmt.Errorf("-timeout is %v; want %v to %v", o.timeout, minTimeout, maxTimeout)
	}
	return o, o.access.Check()
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "counter:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := count(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "counter:", err)
		return 1
	}
	return 0
}

// line is one line of output.
type line struct {
	T     int64  `json:"t"`
	ID    string `json:"id"`
	Event string `json:"event"`
	Add   int64  `json:"add"`
	Count *int64 `json:"count,omitempty"`
	From  *int64 `json:"from,omitempty"`
	To    *int64 `json:"to,omitempty"`
	Error string `json:"error,omitempty"`
}

// count adds, and tells what has come of it.
func count(ctx context.Context, o *options, stdout io.Writer) error {
	servers, err := zookeeper.Open(o.zk, o.timeout)
	if err != nil {
		return err
	}
	defer servers.Close()
	client, err := o.access.Open(servers.Connect, session.Config{Timeout: o.timeout})
	if err != nil {
		return err
	}
	defer client.Close()
	counter, err := value.NewCounter(client, o.path, value.CounterConfig{})
	if err != nil {
		return err
	}
	out := json.NewEncoder(stdout)
	for range o.times {
		sum, err := counter.Add(ctx, o.add)
		l := line{T: history.Now(), ID: o.id, Event: "added", Add: o.add, Count: &sum}
		var unknown *value.UnknownError
		switch {
		case errors.As(err, &unknown):
			l.Event, l.Count, l.From, l.To, l.Error = "unknown", nil, &unknown.From, &unknown.To, err.Error()
		case ctx.Err() != nil && err != nil:
			return nil // told to end, before anything was sent
		case err != nil:
			l.Event, l.Count, l.Error = "error", nil, err.Error()
		}
		if e := out.Encode(l); e != nil {
			return e
		}
		if l.Event == "error" {
			return err
		}
	}
	return nil
}
