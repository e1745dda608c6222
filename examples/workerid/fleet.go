package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

// fleet is all workers, and the book of the ids that they have issued.
type fleet struct {
	*child.Group
	*program
	out     *lines.Output
	workers []string

	// The lock of the Group guards what follows.
	halfway string           // who waits for its pause in the middle of a burst
	has     map[string]*hold // of each worker: what it has, or had last
	begun   map[int]begin    // of each number: its latest hold of which there are ids
	issued  map[int64]string // who has issued each id
	// How many ids were issued by two workers, and how many by one whose number was another's.
	twice, late int
}

// hold is the time for which a worker has a number.
type hold struct {
	number int
	token  int64
	ids    int  // issued so far
	over   bool // the worker says so
}

// begin is the first id of a hold.
type begin struct{ token, at int64 }

func newFleet(p *program) *fleet {
	f := &fleet{program: p, out: lines.New(example.Stdout, "fleet"),
		has: map[string]*hold{}, begun: map[int]begin{}, issued: map[int64]string{}}
	f.Group = child.NewGroup(p.Args(), f.tell)
	for i := range p.workers {
		f.workers = append(f.workers, fmt.Sprintf("w%d", i+1))
	}
	return f
}

// tell takes in a line of a worker, and shows it unless it is one of the many ids.
func (f *fleet) tell(worker string, text []byte) error {
	var line struct {
		Event         string
		Number, Token int64
		Slot          int
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	switch line.Event {
	case "issued":
		f.enter(line.Number, worker)
		return nil
	case "halfway":
		f.halfway = worker
	case "acquired":
		f.has[worker] = &hold{number: line.Slot, token: line.Token}
	case "lost", "released":
		f.has[worker].over = true
	}
	fmt.Fprintf(example.Stdout, "%s\n", text)
	return nil
}

// enter notes an id in the book. It is late if another worker, who got the number later, has issued
// ids of that time, too, or of an earlier one. Then it is mere luck if it was not issued twice.
func (f *fleet) enter(id int64, who string) {
	h, at := f.has[who], timeOf(id)
	h.ids++
	switch b := f.begun[h.number]; {
	case h.token > b.token:
		f.begun[h.number] = begin{h.token, at}
	case h.token < b.token && at >= b.at:
		f.late++
		f.out.Write("late", "number", id, "worker", who)
	}
	if other, taken := f.issued[id]; taken {
		f.twice++
		f.out.Write("twice", "number", id, "workers", []string{other, who})
	}
	f.issued[id] = who
}

// issues reports whether a worker has issued ids with its present number. The caller holds the
// lock.
func (f *fleet) issues(worker string) bool {
	h := f.has[worker]
	return h != nil && !h.over && h.ids > 0
}

// untilTaken waits until a worker issues ids in a later hold of the same number.
func (f *fleet) untilTaken(ctx context.Context, h *hold) error {
	return f.Until(ctx, "other worker with the number", func() bool {
		return slices.ContainsFunc(f.workers, func(w string) bool {
			return f.has[w] != h && f.issues(w) && f.has[w].number == h.number
		})
	})
}

// play lets workers come, be paused, go on and leave.
func (f *fleet) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute) // against hanging: it takes some seconds
	defer cancel()
	for i, w := range f.workers {
		f.Start(w)
		if i >= f.size {
			f.out.Write("waits", "worker", w)
			continue
		}
		// So the last have to wait.
		if err := f.Until(ctx, "ids of "+w, func() bool { return f.issues(w) }); err != nil {
			return err
		}
	}
	if !child.CanPause {
		f.out.Write("not paused", "reason", "this system cannot pause processes")
	} else if err := f.pause(ctx, f.workers[0]); err != nil {
		return err
	}
	leaves := f.workers[1]
	var had *hold
	f.Do(func() { had = f.has[leaves] })
	f.out.Write("leaves", "worker", leaves)
	f.End(leaves)
	return f.untilTaken(ctx, had)
}

// pause stops a worker in the middle of its issuing (SIGSTOP). The worker goes on (SIGCONT) when
// another has its number and issues ids with that. It returns when the worker has noticed its loss.
func (f *fleet) pause(ctx context.Context, worker string) error {
	c := f.Child(worker)
	c.Send("a pause comes")
	var had *hold
	err := f.Until(ctx, "moment for a pause", func() bool {
		had = f.has[worker]
		return f.halfway == worker
	})
	if err != nil {
		return err
	}
	c.Pause()
	f.out.Write("paused", "worker", worker)
	if err := f.untilTaken(ctx, had); err != nil {
		return err
	}
	c.Send("it is over")
	f.out.Write("goes on", "worker", worker)
	c.Resume()
	return f.Until(ctx, "loss of the number of "+worker, func() bool { return had.over })
}
