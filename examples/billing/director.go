package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
)

// act is what is done to a leader that charges an item.
type act string

const (
	crash act = "crash" // kill -9 after its charge was carried out, before it hears of it
	pause act = "pause" // SIGSTOP after it looked at its term, before its charge leaves
)

// director runs the billers, and does to them what the plan says. It sees each charge
// before and after it is made, because the database is in its process.
type director struct {
	ctx    context.Context         // of the run
	fail   context.CancelCauseFunc // ends the run
	ledger *ledger
	flags  []string // of each biller
	begin  time.Time

	mu      sync.Mutex    // guards what follows; held for moments
	changed chan struct{} // closed and replaced whenever something of it changes
	plan    map[item]act  // what is still to be done
	busy    int           // how many acts are being performed
	charged map[item]bool
	stale   []attempt // what paused leaders were about to charge
	crashes int
	billers map[string]*child.Child
}

func newDirector(l *ledger, flags []string) *director {
	return &director{
		ledger: l, flags: flags, begin: time.Now(), changed: make(chan struct{}),
		plan: maps.Clone(plan), charged: map[item]bool{}, billers: map[string]*child.Child{},
	}
}

// run has all items charged.
func (d *director) run(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not all is charged after %v", patience))
	defer stop()
	d.ctx, d.fail = context.WithCancelCause(ctx)
	for _, id := range names {
		d.start(id)
	}
	err := d.until(func() bool {
		return len(d.charged) == len(d.ledger.items) && len(d.plan) == 0 && d.busy == 0
	})
	return errors.Join(err, d.stop())
}

// start starts a biller and watches over it: it must not end by itself.
func (d *director) start(id string) {
	c, err := child.Start(asBiller, append([]string{"-id", id}, d.flags...), func(line []byte) error {
		d.say("%s %s", id, line)
		return nil
	})
	if err != nil {
		d.fail(err)
		return
	}
	d.change(func() { d.billers[id] = c })
	go func() { // ends with the child
		err := c.Err()
		d.mu.Lock()
		wanted := d.billers[id] != c
		d.mu.Unlock()
		if !wanted {
			d.fail(fmt.Errorf("%s has ended by itself: %w", id, err))
		}
	}()
}

// stop ends the billers. Those that were paused make their charges before.
func (d *director) stop() (err error) {
	d.mu.Lock()
	billers := d.billers
	d.billers = map[string]*child.Child{} // from now on they may end
	d.mu.Unlock()
	for id, c := range billers {
		if failure := c.Stop(""); failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", id, failure))
		}
	}
	return err
}

// handler serves the database to the billers.
func (d *director) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/due", answer(func(q request) ([]item, error) { return d.ledger.due(q.Token) }))
	mux.Handle("/charge", answer(d.charge))
	mux.Handle("/moment", answer(d.moment))
	return mux
}

// take returns the biller to whom it is time to do that, nil if it is not. An act is being
// performed from then on.
func (d *director) take(a act, q request) *child.Child {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.billers[q.By]
	if c == nil || d.plan[q.Item] != a {
		return nil
	}
	delete(d.plan, q.Item)
	d.busy++
	return c
}

// moment is asked by a leader that is about to charge: paused tells that it has been
// paused meanwhile, until another leader had made the charge.
func (d *director) moment(q request) (paused bool, err error) {
	c := d.take(pause, q)
	if c == nil {
		return false, nil
	}
	c.Pause()
	d.say("%s is paused (SIGSTOP) as it is about to charge %v", q.By, q.Item)
	if err := d.until(func() bool { return d.charged[q.Item] }); err != nil {
		return false, err
	}
	d.say("%s goes on (SIGCONT), not knowing that it was paused", q.By)
	c.Resume()
	d.change(func() {
		d.stale = append(d.stale, q.attempt())
		d.busy--
	})
	return true, nil
}

// charge carries out a charge, after which the plan may let the leader crash.
func (d *director) charge(q request) (done struct{}, err error) {
	err = d.ledger.charge(q.attempt())
	switch {
	case errors.Is(err, errStale):
		d.say("%s's charge of %v is REFUSED: token %d is stale", q.By, q.Item, q.Token)
	case err == nil:
		d.change(func() { d.charged[q.Item] = true })
		if c := d.take(crash, q); c != nil {
			d.crash(c, q)
		}
	}
	return done, err
}

// crash kills a leader before it gets the answer, and starts it again, as a supervisor does.
func (d *director) crash(c *child.Child, q request) {
	d.change(func() { delete(d.billers, q.By) })
	d.say("%s is killed (kill -9) before it hears that %v is charged", q.By, q.Item)
	c.Kill()
	d.start(q.By)
	d.change(func() {
		d.crashes++
		d.busy--
	})
}

// say tells what happens.
func (d *director) say(format string, args ...any) {
	fmt.Printf("%7.3f s  %s\n", time.Since(d.begin).Seconds(), fmt.Sprintf(format, args...))
}

// change changes what mu guards, and wakes those who wait for it.
func (d *director) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

// until waits for a condition, which is called with mu held.
func (d *director) until(condition func() bool) error {
	for {
		d.mu.Lock()
		ok, changed := condition(), d.changed
		d.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-d.ctx.Done():
			return context.Cause(d.ctx)
		}
	}
}
