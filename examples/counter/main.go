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
	"fmt"
	"io"
	"os"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/value"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// program is the example with its own flags.
type program struct {
	*example.Program
	id    string
	add   int64
	times int
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	p := &program{Program: example.New("counter", "/zkrecipe/counter", 15*time.Second, 0)}
	p.Flags.StringVar(&p.id, "id", "", "this process's `name` (default host name and process id)")
	p.Flags.Int64Var(&p.add, "add", 1, "what to add each time")
	p.Flags.IntVar(&p.times, "times", 10, "how many times")
	return p.Do(args, stderr, p.check, func(ctx context.Context) error { return p.count(ctx, stdout) })
}

func (p *program) check() error {
	p.id = example.ID(p.id)
	if p.times < 1 {
		return fmt.Errorf("-times is %d; want at least 1", p.times)
	}
	return nil
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
func (p *program) count(ctx context.Context, stdout io.Writer) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	counter, err := value.NewCounter(client, p.Path, value.CounterConfig{})
	if err != nil {
		return example.Mistake(err)
	}
	out := json.NewEncoder(stdout)
	for range p.times {
		sum, err := counter.Add(ctx, p.add)
		l := line{T: history.Now(), ID: p.id, Event: "added", Add: p.add, Count: &sum}
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
