package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// fleet is all workers, and the book of the ids that they have issued.
type fleet struct {
	options
	connect  string
	out      *lines.Output
	stdout   io.Writer
	workers  []*worker
	acquired chan event // has room for all

	mu     sync.Mutex // guards what follows
	issued map[int64]string
	twice  int
}

// event is a number that a worker has got.
type event struct {
	w      *worker
	number int
}

// worker is one process of the fleet, with a client and a network of its own.
type worker struct {
	f      *fleet
	name   string
	out    *lines.Output
	net    network
	client *session.Client
	cancel context.CancelFunc
	done   chan struct{} // closed when it has stopped
}

// stepWithin is how long one step of the play may take.
const stepWithin = 30 * time.Second

// play lets workers come, be cut off, come back and leave.
func (f *fleet) play(ctx context.Context) error {
	for i := range f.options.workers {
		w, err := f.start(ctx, fmt.Sprintf("w%d", i+1))
		if err != nil {
			return err
		}
		if i < f.size {
			if _, err := f.next(ctx); err != nil { // one after the other, so that the last have to wait
				return err
			}
		} else {
			f.out.Write("waits", "worker", w.name)
		}
	}
	work := func() error { return sleep(ctx, f.times.Lease) }
	if err := work(); err != nil {
		return err
	}
	cut := f.workers[0]
	f.out.Write("cut", "worker", cut.name)
	cut.net.cut(true)
	if _, err := f.next(ctx); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	f.out.Write("healed", "worker", cut.name)
	cut.net.cut(false)
	f.workers[1].stop()
	if _, err := f.next(ctx); err != nil {
		return err
	}
	return work()
}

// next waits until somebody has got a number.
func (f *fleet) next(ctx context.Context) (event, error) {
	select {
	case e := <-f.acquired:
		return e, nil
	case <-ctx.Done():
		return event{}, context.Cause(ctx)
	case <-time.After(stepWithin):
		return event{}, errors.New("nobody has got a number in time")
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start starts a worker.
func (f *fleet) start(ctx context.Context, name string) (*worker, error) {
	w := &worker{f: f, name: name, out: lines.New(f.stdout, name), done: make(chan struct{})}
	client, err := session.Open(f.connect, session.Config{Timeout: f.times.Timeout, Lease: f.times.Lease, Dial: w.net.dial})
	if err != nil {
		return nil, err
	}
	w.client = client
	sem, err := semaphore.New(client, f.path, f.size, semaphore.Config{ID: name, Slots: true})
	if err != nil {
		return nil, err
	}
	ctx, w.cancel = context.WithCancel(ctx)
	f.workers = append(f.workers, w)
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
	for _, w := range f.workers {
		w.net.cut(false)
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

// network is a worker's, which can be cut: nothing arrives any more, and nothing tells.
type network struct {
	mu    sync.Mutex // guards what follows
	down  bool
	conns []net.Conn
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("the network is down")
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, kind, address)
	if err == nil {
		n.conns = append(n.conns, c)
	}
	return c, err
}

func (n *network) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, c := range n.conns {
		if down {
			_ = c.Close()
		}
	}
	n.conns = nil
}
