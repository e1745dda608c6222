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

func main() {
	p := example.New("leader", "/zkrecipe/leader", 10*time.Second, 400*time.Millisecond)
	length := p.Flags.Duration("for", 0, "how long to go on (default until Ctrl-C)")
	if child.Is() {
		candidate.Main(p)
	}
	p.Demonstrate(func() error {
		if *length < 0 {
			return fmt.Errorf("-for is %v; want a positive duration such as 10s", *length)
		}
		return nil
	}, func(ctx context.Context) error { return run(ctx, p, *length) })
}

// run runs the show and draws it, and then prints a summary.
func run(ctx context.Context, p *example.Program, length time.Duration) error {
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
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
