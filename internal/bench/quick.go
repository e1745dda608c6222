package main

import (
	"fmt"
	"time"
)

// measureQuick measures hand-overs in quick succession, when nothing is at rest: ours, those of
// zk.Lock, and the floor, in turn.
func measureQuick(l *lab) error {
	sc := scale{candidates: 100, lines: 1, sessions: 10, timeout: longTimeout}
	t := table{
		title: fmt.Sprintf("Hand-overs in quick succession, %d candidates over %d sessions, %d each, ms and times the floor:",
			sc.candidates, sc.sessions, l.quick),
		head: []string{"apart", "who", "p50", "p95", "p99", "max", "p50/floor", "p99/floor"},
	}
	for _, apart := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond} {
		if err := measureQuickBy(l, sc, apart, &t); err != nil {
			return fmt.Errorf("%v apart: %w", apart, err)
		}
	}
	t.print(l.out)
	return nil
}

func measureQuickBy(l *lab, sc scale, apart time.Duration, t *table) error {
	g, err := setUp(l, sc, true)
	if err != nil {
		return err
	}
	defer g.close()
	ln, err := next(l, g.lines, (*line).full)
	if err != nil {
		return err
	}
	for turn := range l.quick {
		from := l.server(turn)
		p, err := g.floor.prepare(from, l.server(turn+1), false)
		if err != nil {
			return err
		}
		for _, m := range []struct {
			name    string
			measure func() (failover, error)
		}{{nameFloor, p.fire}, {nameOurs, ln.handOver}, {nameLock, g.locks.handOver}} {
			time.Sleep(apart / 3)
			if err := g.collect(m.name, false, m.measure); err != nil {
				return err
			}
		}
	}
	base := g.took[nameFloor]
	for _, name := range []string{nameFloor, nameOurs, nameLock} {
		s := g.took[name]
		t.add(apart, name, millis(s.at(0.5)), millis(s.at(0.95)), millis(s.at(0.99)), millis(s.max()),
			ratio(s.at(0.5), base.at(0.5)), ratio(s.at(0.99), base.at(0.99)))
	}
	return nil
}
