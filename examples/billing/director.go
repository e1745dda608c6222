package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
)

// kind is what is done to a leader.
type kind string

const (
	crash kind = "crash" // kill -9 after its charge was carried out, before it hears of it
	pause kind = "pause" // SIGSTOP after it looked at its term, before its charge leaves
)

// act is something done to the leader, once so many charges of a period are made.
type act struct {
	period string
	after  int
	kind   kind
}

// term is a stretch of leadership, as its process has told it.
type term struct {
	by       string
	token    int64
	from, to time.Duration // since the begin; to is 0 while it lasts
	end      string        // what ended it
}

// director runs the billers, and does to them what the plan says. It sees each charge
// before and after it is made, because the database is in its process.
type director struct {
	ledger *ledger
	flags  []string // of each biller
	begin  time.Time

	mu      sync.Mutex    // guards what follows; held for moments
	changed chan struct{} // closed and replaced whenever something of it changes
	plan    []act         // what is still to be done
	busy    bool          // an act is being performed
	woken   string        // the biller that goes on after a pause, until its charge is settled
	charges []attempt     // carried out
	stale   []attempt     // what paused leaders were about to charge
	crashes int
	terms   []*term
	billers map[string]*child.Child
	err     error // the first failure
}

func newDirector(l *ledger, plan []act, flags []string) *director {
	return &director{
		ledger: l, plan: plan, flags: flags, begin: time.Now(), changed: make(chan struct{}),
		billers: map[string]*child.Child{},
	}
}

// handler serves the database to the billers.
func (d *director) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/due", answer(func(_ context.Context, q request) ([]item, error) { return d.ledger.due(q.Token) }))
	mux.Handle("/charge", answer(d.charge))
	mux.Handle("/moment", answer(d.moment))
	return mux
}

// run has all subscriptions charged for one period after the other.
func (d *director) run(ctx context.Context, billers, periods []string) error {
	for _, id := range billers {
		d.start(id)
	}
	for _, p := range periods {
		d.say("period %s begins", p)
		if err := d.ledger.open(p); err != nil {
			return err
		}
		err := d.until(ctx, "the end of period "+p, func() bool { return d.complete(p) })
		if err != nil {
			return err
		}
	}
	d.say("all periods are over")
	return nil
}

// complete reports whether everything of a period is charged and done. Called with mu held.
func (d *director) complete(period string) bool {
	return !d.busy && !slices.ContainsFunc(d.plan, func(a act) bool { return a.period == period }) &&
		d.count(period) == len(d.ledger.subscriptions)
}

// count returns how many subscriptions are charged for a period. Called with mu held.
func (d *director) count(period string) int {
	charged := map[item]bool{}
	for _, c := range d.charges {
		if c.Period == period {
			charged[c.item] = true
		}
	}
	return len(charged)
}

// take returns the biller to whom it is time to do that, nil if it is not. The act is busy
// from then on.
func (d *director) take(k kind, q request) *child.Child {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy || d.err != nil || len(d.plan) == 0 || d.billers[q.By] == nil {
		return nil
	}
	if next := d.plan[0]; next.kind != k || next.period != q.Item.Period || d.count(next.period) < next.after {
		return nil
	}
	d.plan, d.busy = d.plan[1:], true
	return d.billers[q.By]
}

// change changes what mu guards, and wakes those who wait for it.
func (d *director) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

// moment is asked by a leader that is about to charge: paused tells that it has been
// paused meanwhile, until another leader had made the charge.
func (d *director) moment(ctx context.Context, q request) (paused bool, err error) {
	c := d.take(pause, q)
	if c == nil {
		return false, nil
	}
	c.Pause()
	d.change(func() {
		d.stale = append(d.stale, attempt{item: q.Item, By: q.By, Token: q.Token})
		d.endTerm(q.Token, "paused")
	})
	d.say("%s is paused (SIGSTOP) as it is about to charge %v", q.By, q.Item)
	err = d.until(ctx, "another leader's charge of "+q.Item.String(), func() bool {
		return slices.ContainsFunc(d.charges, func(a attempt) bool { return a.item == q.Item })
	})
	if err != nil {
		return false, d.fail(err)
	}
	d.say("%s goes on (SIGCONT), not knowing that it was paused", q.By)
	d.change(func() { d.woken = q.By })
	c.Resume()
	return true, nil
}

// settle ends a pause: the one who was paused has made its charge, or has come to its
// senses without that. Called with mu held.
func (d *director) settle(by string) {
	if d.woken == by {
		d.woken, d.busy = "", false
	}
}

// charge carries out a charge, after which the plan may let the leader crash.
func (d *director) charge(_ context.Context, q request) (struct{}, error) {
	a := attempt{item: q.Item, By: q.By, Token: q.Token}
	err := d.ledger.charge(a)
	switch {
	case errors.Is(err, errStale):
		d.change(func() { d.settle(q.By) })
		d.say("%s's charge of %v is REFUSED: token %d is stale", q.By, q.Item, q.Token)
	case err == nil:
		d.change(func() {
			d.charges = append(d.charges, a)
			d.settle(q.By)
		})
		if c := d.take(crash, q); c != nil {
			d.crash(c, q)
		}
	}
	return struct{}{}, err
}

// crash kills a leader before it gets the answer, and starts it again, as a supervisor does.
func (d *director) crash(c *child.Child, q request) {
	d.change(func() { delete(d.billers, q.By) })
	d.say("%s is killed (kill -9) before it hears that %v is charged", q.By, q.Item)
	c.Kill()
	d.change(func() {
		d.endTerm(q.Token, "killed")
		d.crashes++
	})
	d.start(q.By)
	d.change(func() { d.busy = false })
}

// tell takes in a line of a biller.
func (d *director) tell(by string, text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	d.change(func() {
		switch l.Event {
		case "joined":
			d.settle(by)
		case "elected":
			d.terms = append(d.terms, &term{by: by, token: l.Token, from: time.Since(d.begin)})
		case "deposed":
			d.endTerm(l.Token, l.Reason)
		}
	})
	if l.Event == "elected" {
		d.say("%s leads, with token %d", by, l.Token)
	}
	return nil
}

// endTerm notes why a term is over, the first time. Called with mu held.
func (d *director) endTerm(token int64, why string) {
	for _, t := range d.terms {
		if t.token == token && t.end == "" {
			t.to, t.end = time.Since(d.begin), why
		}
	}
}

// say logs what happens.
func (d *director) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Printf("%7.3f s  %s\n", time.Since(d.begin).Seconds(), fmt.Sprintf(format, args...))
}

// until waits for a condition, which is called with mu held.
func (d *director) until(ctx context.Context, what string, condition func() bool) error {
	guard := time.NewTimer(patience)
	defer guard.Stop()
	for {
		d.mu.Lock()
		ok, changed, err := condition(), d.changed, d.err
		d.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-guard.C:
			return fmt.Errorf("waited %v for %s, which did not come", patience, what)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fail notes the first failure, which ends the run, and returns it.
func (d *director) fail(err error) error {
	d.change(func() {
		if d.err == nil {
			d.err = err
		}
	})
	return err
}
