package main

import (
	"context"
	"os"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// worker is one process of the fleet. It writes each id that it issues, and what happens to it.
type worker struct {
	*program
	id     string
	out    *lines.Output
	told   chan struct{} // the fleet says that a pause comes, and then that it is over
	issued int
}

// runWorker is the program of a child, and ends it.
func runWorker() {
	w := &worker{program: newProgram(), told: make(chan struct{}, 2)}
	w.Flags.StringVar(&w.id, "id", "", "the `name` of the worker")
	w.Main(nil, func(ctx context.Context) error {
		w.out = lines.New(os.Stdout, w.id)
		return child.Hear(ctx, func(string) { w.told <- struct{}{} }, w.work)
	})
}

// work issues ids as long as there is a number, again and again until ctx ends.
func (w *worker) work(ctx context.Context) error {
	client, err := w.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	sem, err := semaphore.New(client, w.Path, w.size, semaphore.Config{ID: w.id, Slots: true})
	if err != nil {
		return err
	}
	for {
		permit, err := sem.Acquire(ctx)
		if err != nil {
			return err
		}
		w.have(ctx, permit)
	}
}

// have issues ids with the number of a permit.
func (w *worker) have(ctx context.Context, permit *semaphore.Permit) {
	s := permit.Slot()
	w.out.Write("acquired", "slot", s.Number(), "token", s.Token(), "deadline", permit.Remaining)
	var asked slot = s
	if !w.check {
		asked = unasked{s}
	}
	issuing, stop := context.WithCancel(permit.Context())
	defer context.AfterFunc(ctx, stop)()
	n := issue(issuing, asked, func(id int64) { w.use(ctx, id) })
	lost := context.Cause(permit.Context()) // nil if it was not
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = permit.Release(late) // it goes on in the background
	if lost != nil {
		w.out.Write("lost", "slot", s.Number(), "token", s.Token(), "issued", n, "reason", lost.Error())
	} else {
		w.out.Write("released", "slot", s.Number(), "token", s.Token(), "issued", n)
	}
}

// unasked is a slot of a worker that does not ask: it believes that the slot is its own for ever.
type unasked struct{ semaphore.Slot }

func (unasked) Valid() bool { return true }

// use writes an id. If the fleet wants to pause this process, use lets it do so in the middle of a
// burst: it says so, and returns when it is told that the pause is over.
func (w *worker) use(ctx context.Context, id int64) {
	w.out.Write("issued", "number", id)
	if w.issued++; w.issued%burst != burst/2 {
		return
	}
	select {
	case <-w.told:
	default:
		return
	}
	w.out.Write("halfway")
	select {
	case <-w.told:
	case <-ctx.Done():
	}
}
