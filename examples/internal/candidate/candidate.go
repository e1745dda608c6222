// Package candidate is one candidate of an election as a program: it stands for election
// and tells what happens as JSON lines. The command examples/candidate is nothing but
// this package; examples/leader runs three of them.
package candidate

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Main runs the program and returns its exit code: 0 after a signal, "quit" or -help, 1 if
// the ensemble refuses the candidate for good, 2 for flags that make no sense.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var p *program
	if err == nil {
		p, err = newProgram(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "candidate:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught: it ends the process at once
	ctx, quit := context.WithCancel(ctx)
	go p.obey(stdin, quit) // not waited for: a read of stdin cannot be called back
	return p.out.Run(ctx, p.run)
}

// program is a candidate, or an observer, at work.
type program struct {
	*options
	client   *session.Client
	election *election.Election // nil when only observing
	out      *lines.Output

	begun chan *election.Term           // from lead to tell: the term to tell about
	told  chan struct{}                 // from tell to lead: that has been done
	term  atomic.Pointer[election.Term] // from its "elected" to its "deposed" line

	mu        sync.Mutex // guards announced, and keeps its line and its change together
	announced int64      // the session told last
}

// newProgram checks what the library can check without I/O.
func newProgram(o *options, stdout, stderr io.Writer) (*program, error) {
	p := &program{
		options: o, out: lines.New(stdout, o.id),
		begun: make(chan *election.Term), told: make(chan struct{}),
	}
	log := o.logger(stderr)
	var err error
	p.client, err = o.access.Open(o.zk, session.Config{Timeout: o.timeout, Lease: o.lease, Logger: log})
	if err != nil {
		return nil, err
	}
	// Checked even if only observing: a bad flag is an error whatever the others say.
	p.election, err = election.New(p.client, o.path, election.Config{
		ID: o.id, Data: []byte(o.data), Style: election.Style(o.style), DrainTimeout: o.drain,
		FollowLeader: o.follow, OnEvent: p.tell,
	})
	if err != nil {
		p.client.Close()
		return nil, err
	}
	return p, nil
}

// run stands for election, or observes, until ctx ends. The error is why it could not.
func (p *program) run(ctx context.Context) error {
	work := p.stand
	if p.observe {
		work = p.watch
	}
	sessions := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(sessions)
		p.out.FollowSessions(ctx, p.client, func(s *session.Session) { p.announce(s.ID(), s.Timeout()) })
	}()
	err := work(ctx)
	if ctx.Err() != nil {
		err = nil // it was told to end
	}
	cancel()
	<-sessions
	return errors.Join(err, p.client.Close())
}

func (p *program) stand(ctx context.Context) error { return p.election.Run(ctx, p.lead) }

// lead is what a leader does: it beats.
func (p *program) lead(ctx context.Context, term *election.Term) error {
	p.begun <- term
	<-p.told
	ticker := time.NewTicker(p.beat)
	defer ticker.Stop()
	for {
		p.out.WriteIf(func() bool { return p.term.Load() == term && term.Valid() },
			"beat", "token", term.Token(), "deadline", term.Remaining)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
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
func (p *program) tell(ev election.Event) {
	switch ev.Kind {
	case election.EventJoined:
		p.announce(ev.Session, ev.Timeout)
		p.out.Write("joined", "node", ev.Node, "position", ev.Position)
	case election.EventHeir:
		p.out.Write("heir")
	case election.EventElected:
		// The event comes from one goroutine and the term is given to another; meeting here
		// keeps "elected" behind "heir" and ahead of the first beat.
		term := <-p.begun
		p.term.Store(term)
		p.out.Write("elected", "token", term.Token(), "deadline", term.Remaining)
		p.told <- struct{}{}
	case election.EventSuspended:
		p.out.Write("suspended")
	case election.EventResumed:
		p.tellSession(ev.Session, p.client.Status().Timeout)
	case election.EventDeposed:
		p.term.Store(nil)
		p.out.Write("deposed", "token", ev.Token, "reason", word(ev.Reason))
	case election.EventFailed:
		p.out.Fail(ev.Err)
	case election.EventBlocked:
		p.out.Fail(fmt.Errorf("%s is a persistent znode: nobody behind it leads until it is deleted", ev.Node))
	case election.EventImpaired:
		p.out.Fail(ev.Err)
	case election.EventTookOver:
		p.out.Write("takeover", "node", ev.Node)
	case election.EventWithheld:
		p.out.Write("withheld", "node", ev.Node)
	case election.EventLeaderChanged:
		p.tellLeader(ev.Leader)
	case election.EventLeft:
		p.out.Write("left")
	}
}

// watch tells who leads.
func (p *program) watch(ctx context.Context) error {
	observer := p.election.Observe()
	defer observer.Close()
	return observer.Follow(ctx, p.tellLeader)
}

func (p *program) tellLeader(l election.Candidate) {
	p.out.Write("leader", "leader", l.ID, "leader_token", l.Token)
}

// announce tells a session unless that has been done: the one that sees it first comes here
// first, so that its line precedes all that happens in it.
func (p *program) announce(id int64, timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == p.announced {
		return
	}
	p.announced = id
	p.tellSession(id, timeout)
}

func (p *program) tellSession(id int64, timeout time.Duration) {
	p.out.Write("session", "session", hex(id), "timeout_ms", timeout.Milliseconds(), "lease_ms", p.client.Status().LeaseTime.Milliseconds())
}

// hex writes a session id as ZooKeeper's logs do; as a number it is too large for many
// readers of JSON.
func hex(id int64) string { return fmt.Sprintf("0x%x", uint64(id)) }

// obey carries out the commands on stdin. Its end is no command: a supervisor may run
// the program without one.
func (p *program) obey(stdin io.Reader, quit func()) {
	for in := bufio.NewScanner(stdin); in.Scan(); {
		switch command := strings.TrimSpace(in.Text()); command {
		case "":
		case "quit":
			quit()
		case "resign":
			p.resign()
		default:
			p.out.Fail(fmt.Errorf("command %q; want \"resign\" or \"quit\"", command))
		}
	}
}

// resign ends the present term; then lead returns, and Run enters the line again.
func (p *program) resign() {
	term := p.term.Load()
	if term == nil {
		p.out.Fail(errors.New("cannot resign: not leading"))
		return
	}
	term.Resign() // does not wait: the callback's return ends the term
}
