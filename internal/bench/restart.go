package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// attempts counts connection attempts by server and time.
type attempts struct {
	mu sync.Mutex // guards at
	at map[string][]time.Time
}

func (a *attempts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	a.mu.Lock()
	a.at[address] = append(a.at[address], time.Now())
	a.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// peak returns the largest number within any second between two moments at any server.
func (a *attempts) peak(from, to time.Time) (most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.at {
		first := 0
		for i, t := range at {
			if t.Before(from) || t.After(to) {
				first = i + 1
				continue
			}
			for at[first].Before(t.Add(-time.Second)) {
				first++
			}
			most = max(most, i-first+1)
		}
	}
	return most
}

// measureRestart restarts the whole ensemble under a thousand sessions, each with one candidate of
// one election, as a thousand processes would have.
func measureRestart(l *lab) error {
	if l.ensemble.External() {
		return errors.New("the servers are not ours to restart")
	}
	const n = 1000
	counted := &attempts{at: map[string][]time.Time{}}
	var clients []*session.Client
	ctx, stop := context.WithCancel(l.ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer func() { pipelined(len(clients), func(i int) error { return clients[i].Close() }) }()
	defer stop()
	path := l.path("restart")
	for range n {
		c, err := session.Open(l.ensemble.ConnectString(), session.Config{Timeout: longTimeout, Dial: counted.dial})
		if err != nil {
			return err
		}
		clients = append(clients, c)
		el, err := election.New(c, path, election.Config{ID: "candidate"})
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(l.ctx, patience)
		_, err = c.Session(bounded)
		cancel()
		if err != nil {
			return err
		}
		running.Go(func() { el.Run(ctx, untilDone) })
	}
	before := make([]int64, n)
	for i, c := range clients {
		before[i] = c.Status().Session
	}
	time.Sleep(time.Second)

	down := time.Now()
	if err := pipelined(3, func(i int) error { return l.ensemble.Servers()[i].Kill() }); err != nil {
		return err
	}
	for _, c := range clients { // until everybody has noticed
		for c.Status().State == session.StateConnected {
			time.Sleep(time.Millisecond)
		}
	}
	for _, s := range l.ensemble.Servers() {
		if err := s.Launch(); err != nil {
			return err
		}
	}
	up, back, err := awaitBack(l, clients)
	if err != nil {
		return err
	}
	if err := l.ensemble.WaitReady(l.ctx); err != nil {
		return err
	}
	lost := 0
	for i, c := range clients {
		if c.Status().Session != before[i] {
			lost++
		}
	}
	t := table{
		title: fmt.Sprintf("Restart of all servers under %d sessions, each with a candidate, T = %v:", n, longTimeout),
		head: []string{"first back after, s", "then half, s", "all", "sessions lost",
			"most attempts in a second at one server: first second", "later, while down", "once the first is back"},
	}
	first := down.Add(time.Second)
	t.add(seconds(up.Sub(down)), seconds(back.at(0.5)), seconds(back.max()), lost,
		counted.peak(down, first), counted.peak(first, up), counted.peak(up, time.Now()))
	t.print(l.out)
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// awaitBack returns when the first client was connected, and how much later each.
func awaitBack(l *lab, clients []*session.Client) (first time.Time, back sample, err error) {
	here := make([]bool, len(clients))
	for begun := time.Now(); len(back) < len(clients); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience || l.ctx.Err() != nil {
			return first, nil, errStuck
		}
		for i, c := range clients {
			if here[i] || c.Status().State != session.StateConnected {
				continue
			}
			if here[i] = true; first.IsZero() {
				first = time.Now()
			}
			back = append(back, time.Since(first))
		}
	}
	return first, back, nil
}
