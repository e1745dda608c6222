// Package candidate is one candidate of an election as a program: it stands for election and tells
// what happens as JSON lines. The command examples/candidate is nothing but this package;
// examples/leader runs three of them.
package candidate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

const usage = `candidate stands for election and tells what happens as JSON lines on stdout.
Commands on stdin: "resign" steps down and joins the line again, "quit" leaves.

`

// candidate is a candidate, or an observer, at work.
type candidate struct {
	*example.Program
	id, data, style          string
	drain, beat              time.Duration
	observe, follow, verbose bool

	client   *session.Client
	election *election.Election
	out      *lines.Output
	term     atomic.Pointer[election.Term] // from its "elected" to its "deposed" line
}

// Main runs a program as a candidate, and ends it: with 0 after a signal, "quit" or -help, with 1
// if the ensemble refuses the candidate for good, with 2 for flags that make no sense.
func Main(p *example.Program) {
	c := &candidate{Program: p}
	f := p.Flags
	f.Usage = func() { fmt.Fprint(f.Output(), usage); f.PrintDefaults() }
	f.StringVar(&c.id, "id", "", "this candidate's `name` (default host name and process id)")
	f.StringVar(&c.data, "data", "", "`text` for observers to read")
	f.StringVar(&c.style, "style", "latch", "how the znode is named: `latch|lock|kazoo`")
	f.DurationVar(&c.drain, "drain", 30*time.Second, "how long the end of a term waits for the work to stop")
	f.DurationVar(&c.beat, "beat", 10*time.Millisecond, "time between two beats of a leader")
	f.BoolVar(&c.observe, "observe", false, "do not stand for election, tell who leads")
	f.BoolVar(&c.follow, "follow", false, "tell who leads while standing for election, too")
	f.BoolVar(&c.verbose, "v", false, "log to stderr")
	p.Main(nil, c.run)
}

// run stands for election, or observes, until ctx ends. The error is why it could not.
func (c *candidate) run(ctx context.Context) (err error) {
	if c.beat < 100*time.Microsecond || c.beat > time.Hour {
		return example.Mistake(fmt.Errorf("-beat is %v; want 100µs to 1h", c.beat))
	}
	if c.verbose {
		c.Session.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if c.client, err = c.Client(); err != nil {
		return err
	}
	c.id = example.ID(c.id)
	c.out = lines.New(os.Stdout, c.id)
	// Checked even if only observing: a bad flag is an error whatever the others say.
	c.election, err = election.New(c.client, c.Path, election.Config{
		ID: c.id, Data: []byte(c.data), Style: election.Style(c.style), DrainTimeout: c.drain,
		FollowLeader: c.follow, OnEvent: c.tell,
	})
	if err != nil {
		return example.Mistake(err)
	}
	return c.out.Run(ctx, map[string]func(int){"resign": func(int) { c.resign() }}, func(ctx context.Context) error {
		var err error
		if c.observe {
			go c.out.FollowSessions(ctx, c.client) // ends with the client; a candidate hears of its sessions
			err = c.watch(ctx)
		} else {
			err = c.election.Run(ctx, c.lead)
		}
		if ctx.Err() != nil {
			err = nil // it was told to end
		}
		return errors.Join(err, c.client.Close())
	})
}

// watch tells who leads.
func (c *candidate) watch(ctx context.Context) error {
	observer := c.election.Observe()
	for {
		leader, err := observer.Next(ctx)
		if err != nil {
			return err
		}
		c.tellLeader(leader)
	}
}

// lead is what a leader does: it beats. The first beat is told with the term.
func (c *candidate) lead(ctx context.Context, term *election.Term) error {
	ticker := time.NewTicker(c.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.tellBeat(term)
		case <-ctx.Done():
			return nil
		}
	}
}

// tellBeat tells that a term is valid, unless its line "elected" is still to come.
func (c *candidate) tellBeat(term *election.Term) {
	c.out.WriteIf(func() bool { return c.term.Load() == term && term.Valid() },
		"beat", "token", term.Token(), "deadline", term.Remaining)
}

// word is what a line says for a reason. Scripts read it, and know the election's own word for a
// leadership that was given away.
func word(r recipe.Reason) string {
	if r == recipe.ReasonReleased {
		return "resigned"
	}
	return r.String()
}

// tell turns the library's events into lines.
func (c *candidate) tell(ev election.Event) {
	switch ev.Kind {
	case election.EventJoined:
		c.out.Session(ev.Session, c.client)
		c.out.Write("joined", "node", ev.Node, "position", ev.Position)
	case election.EventHeir:
		c.out.Write("heir")
	case election.EventElected:
		// No beat comes between: who has read "elected" can ask for a resignation.
		elected := func() bool { c.term.Store(ev.Term); return true }
		c.out.WriteIf(elected, "elected", "token", ev.Token, "deadline", ev.Term.Remaining)
		c.tellBeat(ev.Term)
	case election.EventSuspended:
		c.out.Suspended()
	case election.EventResumed:
		c.out.Session(ev.Session, c.client)
	case election.EventDeposed:
		c.term.Store(nil)
		c.out.Write("deposed", "token", ev.Token, "reason", word(ev.Reason))
	case election.EventFailed, election.EventImpaired:
		c.out.Fail(ev.Err)
	case election.EventBlocked:
		c.out.Fail(fmt.Errorf("%s is a persistent znode: nobody behind it leads until it is deleted", ev.Node))
	case election.EventTookOver:
		c.out.Write("takeover", "node", ev.Node)
	case election.EventWithheld:
		c.out.Write("withheld", "node", ev.Node)
	case election.EventLeaderChanged:
		c.tellLeader(ev.Leader)
	case election.EventLeft:
		c.out.Write("left")
	}
}

func (c *candidate) tellLeader(l election.Candidate) {
	c.out.Write("leader", "leader", l.ID, "leader_token", l.Token)
}

// resign ends the present term; then lead returns, and Run enters the line again.
func (c *candidate) resign() {
	if term := c.term.Load(); term != nil {
		term.Resign() // does not wait: the callback's return ends the term
	} else {
		c.out.Fail(errors.New("cannot resign: not leading"))
	}
}
