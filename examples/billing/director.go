package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// director runs the billers, and does to them what the plan says. It sees each charge before and
// after it is made, because the database is in its process.
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

// moment is asked by a leader that is about to charge: paused tells that it has been paused
// meanwhile, until another leader had made the charge.
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

// conclude reads from the ledger what is proved. The error says that something does not hold.
func conclude(d *director) error {
	charges, refusals, err := d.ledger.attempts()
	if err != nil {
		return err
	}
	if problems := audit(charges, refusals, d.ledger.items, d.stale); len(problems) > 0 {
		return fmt.Errorf("the ledger says:\n  %s", strings.Join(problems, "\n  "))
	}
	fmt.Fprintf(example.Stdout, `
The ledger proves, after %d crashes and %d pauses of leaders:
  charged twice: nobody; missed: nobody (%d subscriptions x %d periods = %d charges)
  stale charges attempted: %d; refused: all
`, d.crashes, len(d.stale), subscriptions, len(periods), len(charges), len(refusals))
	return nil
}

// audit reads from the ledger what must hold, and returns what does not: every item is charged
// once; nobody charges once a newer leader has; each of the stale charges was attempted and
// refused, without which the fence has not been put to the test.
func audit(charges, refusals []attempt, want []item, stale []attempt) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	by := map[item][]string{} // who has charged it
	for i, c := range charges {
		by[c.item] = append(by[c.item], fmt.Sprintf("by %s with token %d", c.By, c.Token))
		if i > 0 && c.Token < charges[i-1].Token {
			problem("%s charged %v with token %d after one with %d had been let in", c.By, c.item, c.Token, charges[i-1].Token)
		}
	}
	for _, it := range want {
		switch n := len(by[it]); {
		case n == 0:
			problem("%v was MISSED", it)
		case n > 1:
			problem("%v was charged %d times: %s", it, n, strings.Join(by[it], ", then "))
		}
		delete(by, it)
	}
	for it, who := range by {
		problem("%v was charged, which was not due: %s", it, strings.Join(who, ", then "))
	}
	for _, s := range stale {
		refused := func(r attempt) bool {
			return r.item == s.item && r.By == s.By && r.Token == s.Token && r.Token < r.Newest
		}
		if !slices.ContainsFunc(refusals, refused) {
			problem("%s's stale charge of %v, with token %d, was not attempted and refused", s.By, s.item, s.Token)
		}
	}
	return problems
}
