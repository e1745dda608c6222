package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// scale says with how many lines at once hand-overs are measured: the heir of a line is ready again
// only after a while, and the others are measured meanwhile.
type scale struct {
	candidates int
	lines      int
	sessions   int // for all lines together
	timeout    time.Duration
}

var scales = []scale{
	{3, 24, 3, 2 * time.Second},
	{10, 24, 6, 2 * time.Second},
	{100, 10, 9, 2 * time.Second},
	{1000, 4, 12, 4 * time.Second},
}

var handOverHead = []string{"candidates", "who", "p50", "p95", "p99", "p50/floor", "p95/floor", "in the heir's process, p50", "p95"}

// measureHandOvers measures how long it takes from the leader's delete request to the heir's
// callback, each time with the floor between the same two servers, and zk.Lock.
func measureHandOvers(l *lab) error { return handOvers(l, scales) }

func handOvers(l *lab, scales []scale) error {
	t := table{
		title: l.title("Graceful failover, delete sent to callback entered, %d each, ms and times the floor:", l.failovers),
		head:  handOverHead,
	}
	for _, sc := range scales {
		if l.only != 0 && l.only != sc.candidates {
			continue
		}
		if err := measureHandOver(l, sc, &t); err != nil {
			return fmt.Errorf("%d candidates: %w", sc.candidates, err)
		}
	}
	t.print(l.out)
	return nil
}

func measureHandOver(l *lab, sc scale, t *table) error {
	g, err := setUp(l, sc, true)
	if err != nil {
		return err
	}
	defer g.close()
	for len(g.took[nameOurs]) < l.failovers {
		if err := g.once(); err != nil {
			return err
		}
	}
	for len(g.took[nameCold]) < l.failovers/4 {
		if err := g.twice(); err != nil {
			return err
		}
	}
	base := g.took[nameFloor]
	for _, name := range []string{nameFloor, nameRead, nameOurs, nameCold, nameLock} {
		s, inside := g.took[name], g.inside[name]
		t.add(sc.candidates, name, millis(s.at(0.5)), millis(s.at(0.95)), millis(s.at(0.99)),
			ratio(s.at(0.5), base.at(0.5)), ratio(s.at(0.95), base.at(0.95)), millis(inside.at(0.5)), millis(inside.at(0.95)))
	}
	return nil
}

// What is compared.
const (
	nameFloor = "floor"
	nameRead  = "floor and one read"
	nameOurs  = "zkrecipe"
	nameCold  = "zkrecipe, back to back"
	nameLock  = "zk.Lock"
)

// grid is all that stands in line for one scale.
type grid struct {
	l      *lab
	lines  []*line
	locks  *lockLine // nil if they are not measured
	floor  *floor
	turn   int
	took   map[string]sample // in all
	inside map[string]sample // in the heir's process
	undo   []func()          // in reverse
}

func (g *grid) close() {
	for _, ln := range g.lines {
		ln.stop() // all at once
	}
	for _, f := range slices.Backward(g.undo) {
		f()
	}
}

func setUp(l *lab, sc scale, withLocks bool) (g *grid, err error) {
	g = &grid{l: l, took: map[string]sample{}, inside: map[string]sample{}}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	clients, closeClients, err := openAll(l, sc.sessions, sc.timeout)
	if err != nil {
		return g, err
	}
	g.undo = append(g.undo, closeClients)
	lines := make([]*line, sc.lines)
	err = pipelined(sc.lines, func(i int) (err error) {
		lines[i], err = form(l, sc.candidates, clients)
		return err
	})
	for _, ln := range lines {
		if ln != nil {
			g.lines, g.undo = append(g.lines, ln), append(g.undo, ln.close)
		}
	}
	if err != nil {
		return g, err
	}
	if g.floor, err = newFloor(l, longTimeout); err != nil {
		return g, err
	}
	g.undo = append(g.undo, g.floor.stop)
	if !withLocks {
		return g, nil
	}
	sessions, closeSessions, err := dialBares(l, sc.sessions, longTimeout)
	if err != nil {
		return g, err
	}
	g.undo = append(g.undo, closeSessions)
	g.locks, err = formLockLine(l, sc.candidates, zkContenders(sessions), sessions[0])
	return g, err
}

// once makes one hand-over of each kind, between the same two servers as far as they can be chosen.
func (g *grid) once() error {
	ln, err := next(g.l, g.lines, (*line).ready)
	if err != nil {
		return err
	}
	from, to := ln.leader.who.client.server, ln.heir.client.server
	p, err := g.floor.prepare(from, to, false)
	if err != nil {
		return err
	}
	reading, err := g.floor.prepare(from, to, true)
	if err != nil {
		return err
	}
	skip := from == to // two have changed places in the line
	measures := []func() error{
		func() error { return g.collect(nameFloor, skip, p.fire) },
		func() error { return g.collect(nameRead, skip, reading.fire) },
		func() error { return g.collect(nameOurs, skip, ln.handOver) },
	}
	if g.locks != nil {
		measures = append(measures, func() error { return g.collect(nameLock, skip, g.locks.handOver) })
	}
	g.turn++
	return inTurn(g.turn, measures...)
}

// twice makes two hand-overs back to back, and measures the second one: its heir does not know yet
// that it is the heir.
func (g *grid) twice() error {
	ln, err := next(g.l, g.lines, (*line).full) // the one after the heir is there
	if err != nil {
		return err
	}
	time.Sleep(rest)
	if _, err := ln.handOver(); err != nil {
		return ignoreDeposed(err)
	}
	from := ln.leader.who.client.server
	took, err := ln.handOver()
	if err == nil && from != ln.leader.who.client.server {
		g.add(nameCold, took)
	}
	return ignoreDeposed(err)
}

func (g *grid) add(name string, f failover) {
	g.took[name] = append(g.took[name], f.all)
	g.inside[name] = append(g.inside[name], f.inside)
}

func ignoreDeposed(err error) error {
	if errors.Is(err, errDeposed) {
		return nil
	}
	return err
}

func (g *grid) collect(name string, skip bool, measure func() (failover, error)) error {
	f, err := measure()
	if err == nil && !skip {
		g.add(name, f)
	}
	return ignoreDeposed(err)
}

// collect adds what a measurement took.
func collect(s *sample, measure func() (time.Duration, error)) error {
	took, err := measure()
	if err == nil {
		*s = append(*s, took)
	}
	return err
}

// inTurn makes the measurements, another one first each time, each from rest: right after some
// other traffic everything is faster.
func inTurn(turn int, measure ...func() error) error {
	for i := range measure {
		time.Sleep(rest)
		if err := measure[(turn+i)%len(measure)](); err != nil {
			return err
		}
	}
	return nil
}

const rest = 20 * time.Millisecond

// next returns a line that is as it should be, the lines in turn as far as possible.
func next(l *lab, lines []*line, fit func(*line) bool) (*line, error) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && l.ctx.Err() == nil {
		for i, ln := range lines {
			if fit(ln) {
				copy(lines[i:], lines[i+1:])
				lines[len(lines)-1] = ln
				return ln, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errStuck
}
