// Leader shows an election at work. It runs three candidates, each in a process of its own, shows who leads and who is
// heir, each fencing token and the lease running, and takes the leadership away in turn: by resignation, by a crash
// (kill -9) and by a pause longer than the lease (SIGSTOP). It measures how long nobody led, and watches that never two
// did. After a crash that is about as long as the lease, 400 ms unless -lease says otherwise; the session timeout of 10
// s has no part in it.
//
//	go run ./examples/leader                          until Ctrl-C
//	go run ./examples/leader -for 10s                 each of them once, then exit
//	go run ./examples/leader -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// Without -zk the ensemble is three servers of package session/zktest in this process. On a terminal it draws a picture
// of 80 columns and 24 lines (in no colors if NO_COLOR is set), elsewhere it writes plain lines. It exits with 1 if two
// candidates ever led at the same time, or one failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

// asCandidate is the role of this program's children.
const asCandidate = "candidate"

func main() {
	p := &program{Program: example.New("leader", "/zkrecipe/leader", 10*time.Second, 400*time.Millisecond)}
	p.Flags.DurationVar(&p.length, "for", 0, "how long to go on (default until Ctrl-C)")
	if child.Role() == asCandidate {
		candidate.Main(p.Program)
	}
	p.Demonstrate(p.check, p.run)
}

// program is the demonstration with its own flag.
type program struct {
	*example.Program
	length time.Duration
}

func (p *program) check() error {
	if p.length < 0 {
		return fmt.Errorf("-for is %v; want a positive duration such as 10s", p.length)
	}
	return nil
}

// run runs the show and draws it, and then prints a summary.
func (p *program) run(ctx context.Context) error {
	if p.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.length)
		defer cancel()
	}
	h := newHistory(lines.Now())
	h.about = fmt.Sprintf("ZooKeeper: %s; session timeout %v, lease %v", p.Servers, p.Session.Timeout, p.Session.Lease)
	s := newShow(h, p.Args())
	view := func(ctx context.Context) { s.draw(ctx, p.Session.Lease) }
	if !canDraw(os.Stdout) {
		fmt.Fprintln(example.Stdout, h.about)
		h.log, view = example.Say, s.logStandings
	}
	viewing, stop := context.WithCancel(context.Background())
	var viewed sync.WaitGroup
	viewed.Go(func() { view(viewing) })
	err := s.run(ctx)
	stop()
	viewed.Wait()
	return errors.Join(err, h.conclude())
}
