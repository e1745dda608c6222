package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// trio is an election of three candidates in three processes.
type trio struct {
	clients [3]*steered
	entered chan time.Time // the heir's callback
	first   *election.Term
	stop    func()
}

// formTrio lines three up; their sessions are with the servers named, and the heir has its lease.
func formTrio(l *lab, timeout time.Duration, servers [3]string) (t *trio, err error) {
	ctx, cancel := context.WithCancel(l.ctx)
	var running sync.WaitGroup
	t = &trio{entered: make(chan time.Time, 3)}
	t.stop = func() {
		cancel()
		for _, c := range t.clients {
			if c != nil {
				c.Close()
			}
		}
		running.Wait()
	}
	path := l.path("trio")
	terms := make(chan *election.Term, 1)
	for i, server := range servers {
		if t.clients[i], err = openSteered(l, server, timeout); err != nil {
			return t, err
		}
		joined := make(chan struct{}, 10)
		el, err := election.New(t.clients[i].Client, path, election.Config{ID: fmt.Sprint(i), OnEvent: onJoined(joined)})
		if err != nil {
			return t, err
		}
		running.Go(func() {
			el.Run(ctx, func(ctx context.Context, term *election.Term) error {
				if i == 0 {
					terms <- term
				} else {
					t.entered <- time.Now()
				}
				<-ctx.Done()
				return nil
			})
		})
		if _, err := receive(l, joined); err != nil {
			return t, err
		}
		if i == 0 {
			if t.first, err = receive(l, terms); err != nil {
				return t, err
			}
		}
	}
	for t.clients[1].Status().LeaseRemaining == 0 {
		if l.ctx.Err() != nil {
			return t, context.Cause(l.ctx)
		}
		time.Sleep(time.Millisecond)
	}
	return t, nil
}

const frozenTimeout, frozenLease = 4 * time.Second, 2 * time.Second

// measureFrozen freezes the server that everybody is attached to, and then lets everybody dial it
// again.
func measureFrozen(l *lab) error {
	const elections, rounds = 4, 3
	if l.ensemble.External() {
		return errors.New("the servers are not ours to freeze")
	}
	var attached, dialling [3]sample
	kept := 0
	for range rounds {
		n, err := frozenRound(l, elections, &attached, &dialling)
		if err != nil {
			return err
		}
		kept += n
	}
	t := table{
		title: fmt.Sprintf("A frozen server, %d elections, session timeout %v; lease %v; until the session is connected to another one, x D:", elections*rounds, frozenTimeout, frozenLease),
		head:  []string{"who", "attached to it: p50", "max", "dialling it: p50", "max"},
	}
	for i, role := range []string{"leader", "heir", "waiting"} {
		t.add(role, ratio(attached[i].at(0.5), frozenLease), ratio(attached[i].max(), frozenLease),
			ratio(dialling[i].at(0.5), frozenLease), ratio(dialling[i].max(), frozenLease))
	}
	t.print(l.out)
	fmt.Fprintf(l.out, "\n%d of %d leaders led on through both.\n", kept, elections*rounds)
	return nil
}

func frozenRound(l *lab, elections int, attached, dialling *[3]sample) (kept int, err error) {
	victim, err := l.ensemble.Follower(l.ctx)
	if err != nil {
		return 0, err
	}
	var all []*trio
	defer func() {
		for _, t := range all {
			t.stop()
		}
	}()
	for range elections {
		t, err := formTrio(l, frozenTimeout, [3]string{victim.Addr(), victim.Addr(), victim.Addr()})
		all = append(all, t)
		if err != nil {
			return 0, err
		}
	}
	if err := victim.Freeze(); err != nil {
		return 0, err
	}
	defer victim.Thaw()
	begun := time.Now()
	err = awaitAway(l, all, victim.Addr(), attached, func(*steered) time.Time { return begun })
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		for _, c := range t.clients {
			c.drop(victim.Addr())
		}
	}
	err = awaitAway(l, all, victim.Addr(), dialling, func(s *steered) time.Time { return s.dialed })
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		if t.first.Valid() && t.first.Context().Err() == nil {
			kept++
		}
	}
	return kept, victim.Thaw()
}

// awaitAway notes for each role how long it took everybody to get away from a server.
func awaitAway(l *lab, all []*trio, server string, by *[3]sample, since func(*steered) time.Time) error {
	errs := make(chan error, 3*len(all))
	var mu sync.Mutex // guards by
	for _, t := range all {
		for role, c := range t.clients {
			go func() {
				at, err := c.away(l, server)
				if err == nil {
					mu.Lock()
					by[role] = append(by[role], at.Sub(since(c)))
					mu.Unlock()
				}
				errs <- err
			}()
		}
	}
	var failed error
	for range cap(errs) {
		failed = errors.Join(failed, <-errs)
	}
	return failed
}
