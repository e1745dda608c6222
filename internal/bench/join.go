package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// measureJoin measures how long it takes until all of many candidates stand in one line, and what
// the requests take that no candidate can do without: a create and a list each, all at once.
func measureJoin(l *lab) error {
	const candidates, sessions, rounds = 1000, 10, 7
	clients, closeClients, err := openAll(l, sessions, longTimeout)
	if err != nil {
		return err
	}
	defer closeClients()
	bares, closeBares, err := dialBares(l, sessions, longTimeout)
	if err != nil {
		return err
	}
	defer closeBares()
	var mine, base sample
	for turn := range rounds {
		err := inTurn(turn,
			func() error {
				return collect(&base, func() (time.Duration, error) { return joinBare(l, bares, candidates) })
			},
			func() error {
				return collect(&mine, func() (time.Duration, error) { return joinOurs(l, clients, candidates) })
			})
		if err != nil {
			return err
		}
	}
	t := table{
		title: fmt.Sprintf("Joining, %d candidates over %d sessions, %d times, ms:", candidates, sessions, rounds),
		head:  []string{"who", "fastest", "p50", "slowest", "p50/floor"},
	}
	for _, who := range []struct {
		name string
		took sample
	}{{"create and list, pipelined", base}, {nameOurs, mine}} {
		t.add(who.name, millis(who.took.at(0)), millis(who.took.at(0.5)), millis(who.took.max()), ratio(who.took.at(0.5), base.at(0.5)))
	}
	t.print(l.out)
	return nil
}

// longTimeout is the longest session timeout that the ensemble grants.
const longTimeout = 10 * time.Second

// joinBare makes the creates and lists of candidates that know their sessions' answers come in
// order.
func joinBare(l *lab, sessions []*bare, n int) (time.Duration, error) {
	path := l.path("join")
	if _, err := sessions[0].Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return 0, err
	}
	for _, s := range sessions {
		if _, err := s.Sync(path); err != nil {
			return 0, err
		}
	}
	nodes := make([]string, n)
	begun := time.Now()
	err := pipelined(n, func(i int) (err error) {
		s := sessions[i%len(sessions)]
		nodes[i], err = s.Create(path+"/_c_00000000-0000-4000-8000-000000000000-latch-", []byte("candidate"),
			zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
		if err == nil {
			_, _, err = s.Children(path)
		}
		return err
	})
	took := time.Since(begun)
	if err != nil {
		return 0, err
	}
	return took, pipelined(n, func(i int) error { return sessions[i%len(sessions)].Delete(nodes[i], -1) })
}

func joinOurs(l *lab, clients []*ours, n int) (time.Duration, error) {
	ctx, stop := cancellable(l)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	path := l.path("join")
	s, err := clients[0].Session(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.EnsurePath(ctx, path, nil); err != nil {
		return 0, err
	}
	joined := make(chan struct{}, n)
	begun := time.Now()
	for i := range n {
		el, err := election.New(clients[i%len(clients)].Client, path, election.Config{ID: "candidate", OnEvent: onJoined(joined)})
		if err != nil {
			return 0, err
		}
		running.Go(func() { el.Run(ctx, untilDone) })
	}
	for range n {
		if _, err := receive(l, joined); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}
