package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// A line is an election with candidates that lead until they are told to resign, and then enter
// again.
type line struct {
	l       *lab
	entered chan entry
	heirs   chan *candidate
	stop    context.CancelFunc
	running sync.WaitGroup

	size    int
	present atomic.Int64 // how many stand in it

	leader entry
	heir   *candidate // as far as is known; nil when nobody is
	gone   string     // the znode of the one who has left for good
}

type candidate struct {
	client *ours
	resign chan struct{}
	leave  context.CancelFunc // for good
}

// errDeposed: a leader was deposed before it could resign.
var errDeposed = errors.New("deposed before it resigned")

// entry is the moment in which a candidate's callback was entered.
type entry struct {
	who  *candidate
	term *election.Term
	at   time.Time
}

// form puts n candidates into a line, on the clients in turn, one behind the other.
func form(l *lab, n int, clients []*ours) (*line, error) {
	ctx, stop := context.WithCancel(l.ctx)
	ln := &line{l: l, size: n, entered: make(chan entry, n), heirs: make(chan *candidate, 10*n), stop: stop}
	path := l.path("election")
	joined := make(chan struct{}, 10*n)
	for i := range n {
		ctx, leave := context.WithCancel(ctx)
		c := &candidate{client: clients[i%len(clients)], resign: make(chan struct{}), leave: leave}
		el, err := election.New(c.client.Client, path, election.Config{ID: fmt.Sprintf("cand%05d", i), OnEvent: func(ev election.Event) {
			switch ev.Kind {
			case election.EventJoined:
				ln.present.Add(1)
				select {
				case joined <- struct{}{}:
				default: // nobody counts any more
				}
			case election.EventLeft:
				ln.present.Add(-1)
			case election.EventHeir:
				ln.heirs <- c
			}
		}})
		if err != nil {
			ln.close()
			return nil, err
		}
		ln.running.Go(func() {
			defer leave()
			el.Run(ctx, func(ctx context.Context, term *election.Term) error {
				at := time.Now()
				ln.entered <- entry{c, term, at}
				select {
				case <-c.resign:
				case <-ctx.Done():
				}
				return nil
			})
		})
		if _, err := receive(l, joined); err != nil {
			ln.close()
			return nil, err
		}
	}
	var err error
	if ln.leader, err = receive(l, ln.entered); err != nil {
		ln.close()
		return nil, err
	}
	return ln, nil
}

func (ln *line) close() {
	ln.stop()
	ln.running.Wait()
}

// ready reports whether the heir is known and has a lease.
func (ln *line) ready() bool {
	for {
		select {
		case ln.heir = <-ln.heirs:
			continue
		case ln.leader = <-ln.entered: // the former one was deposed: this machine is overloaded
			continue
		default:
		}
		return ln.heir != nil && ln.heir != ln.leader.who && ln.heir.client.Status().LeaseRemaining > 0
	}
}

// full reports whether the heir is ready and all others stand in line too.
func (ln *line) full() bool { return ln.ready() && ln.present.Load() == int64(ln.size) }

// handOver makes the leader resign and waits for the next. It returns how long that took, from the
// delete request to the entry into the callback.
func (ln *line) handOver() (failover, error) {
	former := ln.leader.who
	select {
	case former.resign <- struct{}{}:
	case <-ln.leader.term.Context().Done():
		return failover{}, errDeposed
	}
	var err error
	if ln.leader, err = receive(ln.l, ln.entered); err != nil {
		return failover{}, err
	}
	return since(former.client.stamp, ln.leader.who.client.stamp, ln.leader.at), nil
}

// leave makes the leader leave for good and waits for the next.
func (ln *line) leave() (err error) {
	ln.gone = ln.leader.term.Node()
	ln.leader.who.leave()
	ln.leader, err = receive(ln.l, ln.entered)
	return err
}

// cancellable returns a context under the lab's.
func cancellable(l *lab) (context.Context, context.CancelFunc) { return context.WithCancel(l.ctx) }

// onJoined gives a signal for each time that a candidate joins the line.
func onJoined(joined chan<- struct{}) func(election.Event) {
	return func(ev election.Event) {
		if ev.Kind == election.EventJoined {
			joined <- struct{}{}
		}
	}
}

// untilDone leads until the term is over.
func untilDone(ctx context.Context, _ *election.Term) error {
	<-ctx.Done()
	return nil
}
