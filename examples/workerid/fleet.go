package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/cable"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// fleet is all workers, and the book of the ids that they have issued.
type fleet struct {
	*program
	out      *lines.Output
	all      []*worker
	acquired chan struct{} // somebody has got a number since the last look; has room for one

	mu     sync.Mutex // guards what follows
	issued map[int64]string
	twice  int
}

func newFleet(p *program) *fleet {
	return &fleet{program: p, out: lines.New(os.Stdout, "fleet"), acquired: make(chan struct{}, 1), issued: map[int64]string{}}
}

// worker is one process of the fleet, with a client and a network of its own.
type worker struct {
	f      *fleet
	name   string
	out    *lines.Output
	cable  cable.Cable
	client *session.Client
	cancel context.CancelFunc
	done   chan struct{} // closed when it has stopped
}

// stepWithin is how long one step of the play may take.
const stepWithin = 30 * time.Second

// play lets workers come, be cut off, come back and leave.
func (f *fleet) play(ctx context.Context) error {
	for i := range f.workers {
		w, err := f.start(ctx, fmt.Sprintf("w%d", i+1))
		if err != nil {
			return err
		}
		if i < f.size {
			if err := f.next(ctx); err != nil { // one after the other, so that the last have to wait
				return err
			}
		} else {
			f.out.Write("waits", "worker", w.name)
		}
	}
	work := func() error { return example.Sleep(ctx, f.Session.Lease) }
	if err := work(); err != nil {
		return err
	}
	cut := f.all[0]
	f.out.Write("cut", "worker", cut.name)
	cut.cable.Cut()
	if err := f.next(ctx); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	f.out.Write("healed", "worker", cut.name)
	cut.cable.Mend()
	f.all[1].stop()
	if err := f.next(ctx); err != nil {
		return err
	}
	return work()
}

// next waits until somebody has got a number.
func (f *fleet) next(ctx context.Context) error {
	select {
	case <-f.acquired:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(stepWithin):
		return errors.New("nobody has got a number in time")
	}
}

// start starts a worker.
func (f *fleet) start(ctx context.Context, name string) (*worker, error) {
	w := &worker{f: f, name: name, out: lines.New(os.Stdout, name), done: make(chan struct{})}
	client, err := w.cable.Client(f.Program)
	if err != nil {
		return nil, err
	}
	w.client = client
	sem, err := semaphore.New(client, f.Path, f.size, semaphore.Config{ID: name, Slots: true})
	if err != nil {
		return nil, err
	}
	ctx, w.cancel = context.WithCancel(ctx)
	f.all = append(f.all, w)
	go func() {
		defer close(w.done)
		w.work(ctx, sem)
	}()
	return w, nil
}

// stop ends a worker in good order.
func (w *worker) stop() {
	w.cancel()
	<-w.done
	_ = w.client.Close()
}

func (f *fleet) stop() {
	for _, w := range f.all {
		w.cable.Mend()
		w.stop()
	}
}

// enter notes an id in the book.
func (f *fleet) enter(id int64, who string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, taken := f.issued[id]; taken {
		f.twice++
		f.out.Write("twice", "number", id, "workers", []string{other, who})
	}
	f.issued[id] = who
}

func (f *fleet) totals() (issued, twice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.issued), f.twice
}

// work issues ids as long as there is a number, again and again until ctx ends.
func (w *worker) work(ctx context.Context, sem *semaphore.Semaphore) {
	for ctx.Err() == nil {
		permit, err := sem.Acquire(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.out.Fail(err)
			}
			return
		}
		slot := permit.Slot()
		w.out.Write("acquired", "slot", slot.Number(), "token", slot.Token(), "deadline", permit.Remaining)
		select {
		case w.f.acquired <- struct{}{}:
		default: // it is told already
		}
		n := issue(ctx, permit, func(id int64) { w.f.enter(id, w.name) })
		lost := context.Cause(permit.Context()) // nil if it was not
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = permit.Release(late) // it goes on in the background
		cancel()
		if lost != nil {
			w.out.Write("lost", "slot", slot.Number(), "token", slot.Token(), "issued", n, "reason", lost.Error())
		} else {
			w.out.Write("released", "slot", slot.Number(), "token", slot.Token(), "issued", n)
		}
	}
}
