package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
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
	*child.Group // its lock guards what follows ledger
	ledger       *ledger

	plan    map[item]act // what is still to be done
	busy    int          // how many acts are being performed
	charged map[item]bool
	leader  string    // who has charged last
	stale   []attempt // what paused leaders were about to charge
	crashes int
}

func newDirector(l *ledger, flags []string) *director {
	d := &director{ledger: l, plan: maps.Clone(plan), charged: map[item]bool{}}
	d.Group = child.NewGroup(asBiller, flags, func(id string, line []byte) error {
		example.Say("%s %s", id, line)
		return nil
	})
	return d
}

// run has all items charged.
func (d *director) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // against hanging: a run takes some seconds
	defer cancel()
	for _, id := range names {
		d.Start(id)
	}
	var leader string
	err := d.Until(ctx, "charge of everything", func() bool {
		leader = d.leader
		return len(d.charged) == len(d.ledger.items) && len(d.plan) == 0 && d.busy == 0
	})
	d.Fail(err)
	return d.Stop("", leader) // a leader that was paused makes its charge before it ends
}

// handler serves the database to the billers.
func (d *director) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/due", answer(func(_ context.Context, q attempt) ([]item, error) { return d.ledger.due(q.Token) }))
	mux.Handle("/charge", answer(d.charge))
	mux.Handle("/moment", answer(d.moment))
	return mux
}

// take reports whether it is time to do that to a leader that charges an item. If so, an act is
// being performed from then on.
func (d *director) take(a act, it item) (ok bool) {
	d.Do(func() {
		if ok = d.plan[it] == a; ok {
			delete(d.plan, it)
			d.busy++
		}
	})
	return ok
}

// moment is asked by a leader that is about to charge: paused tells that it has been
// paused meanwhile, until another leader had made the charge.
func (d *director) moment(ctx context.Context, q attempt) (paused bool, err error) {
	c := d.Child(q.By)
	if c == nil || !d.take(pause, q.item) {
		return false, nil
	}
	c.Pause()
	example.Say("%s is paused (SIGSTOP) as it is about to charge %v", q.By, q.item)
	err = d.Until(ctx, "charge by another leader", func() bool { return d.charged[q.item] })
	if err != nil {
		return false, err
	}
	example.Say("%s goes on (SIGCONT), not knowing that it was paused", q.By)
	c.Resume()
	d.Do(func() { d.stale = append(d.stale, q); d.busy-- })
	return true, nil
}

// charge carries out a charge, after which the plan may let the leader crash.
func (d *director) charge(_ context.Context, q attempt) (done struct{}, err error) {
	err = d.ledger.charge(q)
	switch {
	case errors.Is(err, errStale):
		example.Say("%s's charge of %v is REFUSED: token %d is stale", q.By, q.item, q.Token)
	case err == nil:
		d.Do(func() { d.charged[q.item], d.leader = true, q.By })
		if d.Child(q.By) != nil && d.take(crash, q.item) {
			example.Say("%s is killed (kill -9) before it hears that %v is charged", q.By, q.item)
			d.Kill(q.By)
			d.Start(q.By) // as a supervisor does
			d.Do(func() { d.crashes++; d.busy-- })
		}
	}
	return done, err
}
