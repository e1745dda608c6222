package main

import (
	"fmt"
	"time"
)

// scale says with how many lines at once hand-overs are measured: the heir of a line is
// ready again only after a while, and the others are measured meanwhile.
type scale struct {
	candidates int
	lines      int
	sessions   int // for all lines together
	timeout    time.Duration
}

var scales = []scale{
	{3, 16, 3, 4 * time.Second},
	{10, 16, 6, 4 * time.Second},
	{100, 8, 9, 2 * time.Second},
	{1000, 3, 12, 2 * time.Second},
}

// measureHandOvers measures how long it takes from the leader's delete request to the
// heir's callback, each time with the floor between the same two servers, and zk.Lock.
func measureHandOvers(l *lab) error {
	t := table{
		title: fmt.Sprintf("Graceful failover, delete sent to callback entered, %d each, ms and times the floor:", l.failovers),
		head:  []string{"candidates", "who", "p50", "p95", "p99", "p50/floor", "p95/floor"},
	}
	for _, sc := range scales {
		if err := measureHandOver(l, sc, &t); err != nil {
			return fmt.Errorf("%d candidates: %w", sc.candidates, err)
		}
	}
	t.print(l.out)
	return nil
}

func measureHandOver(l *lab, sc scale, t *table) error {
	clients, closeClients, err := openAll(l, sc.sessions, sc.timeout)
	if err != nil {
		return err
	}
	defer closeClients()
	var lines []*line
	defer func() {
		for _, ln := range lines {
			ln.stop()
		}
		for _, ln := range lines {
			ln.close()
		}
	}()
	for range sc.lines {
		ln, err := form(l, sc.candidates, clients)
		if err != nil {
			return err
		}
		lines = append(lines, ln)
	}
	f, err := newFloor(l, sc.timeout)
	if err != nil {
		return err
	}
	defer f.stop()
	sessions, closeSessions, err := dialBares(l, sc.sessions, sc.timeout)
	if err != nil {
		return err
	}
	ls, err := formLocks(l, sc.candidates, sessions)
	if err != nil {
		closeSessions()
		return err
	}
	defer ls.running.Wait()
	defer closeSessions()
	defer ls.stop()

	var bare, mine, theirs sample
	for len(mine) < l.failovers {
		ln, err := nextReady(l, lines)
		if err != nil {
			return err
		}
		p, err := f.prepare(ln.leader.who.client.server, ln.heir.client.server)
		if err != nil {
			return err
		}
		same := ln.leader.who.client.server == ln.heir.client.server // two have changed places in the line
		err = inTurn(len(mine),
			func() error { return collect(&bare, same, p.fire) },
			func() error { return collect(&mine, same, ln.handOver) },
			func() error { return collect(&theirs, same, ls.handOver) })
		if err != nil {
			return err
		}
	}
	for _, who := range []struct {
		name string
		took sample
	}{{"floor", bare}, {"zkrecipe", mine}, {"zk.Lock", theirs}} {
		t.add(sc.candidates, who.name, millis(who.took.at(0.5)), millis(who.took.at(0.95)), millis(who.took.at(0.99)),
			ratio(who.took.at(0.5), bare.at(0.5)), ratio(who.took.at(0.95), bare.at(0.95)))
	}
	return nil
}

// collect adds what a measurement took, unless leader and heir were on one server.
func collect(s *sample, skip bool, measure func() (time.Duration, error)) error {
	took, err := measure()
	if err == nil && !skip {
		*s = append(*s, took)
	}
	return err
}

// inTurn makes the measurements, another one first each time, each from rest: right
// after some other traffic everything is faster.
func inTurn(turn int, measure ...func() error) error {
	for i := range measure {
		time.Sleep(rest)
		if err := measure[(turn+i)%len(measure)](); err != nil {
			return err
		}
	}
	return nil
}

const rest = 3 * time.Millisecond

// nextReady returns a line with a ready heir, the lines in turn as far as possible.
func nextReady(l *lab, lines []*line) (*line, error) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && l.ctx.Err() == nil {
		for i, ln := range lines {
			if ln.ready() {
				copy(lines[i:], lines[i+1:])
				lines[len(lines)-1] = ln
				return ln, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errStuck
}
