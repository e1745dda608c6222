package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// crashTimeout is the session timeout in the rows about a crash or a pause. What they measure does
// not depend on it, so it is long.
const crashTimeout = 30 * time.Second

var crashLeases = []time.Duration{400 * time.Millisecond, time.Second, 4 * time.Second}

// measureCrash kills leaders, which are processes, with kill -9, and measures how long it takes
// until their heirs' callbacks are entered.
func measureCrash(l *lab) error {
	const lines = 3
	t := table{
		title: fmt.Sprintf("kill -9 of the leader, session timeout %v, from the kill to the heir's callback:", crashTimeout),
		head:  []string{"lease D", "times", "p50, x D", "p95, x D", "max, x D", "p50, ms"},
	}
	for _, D := range crashLeases {
		took, err := crashes(l, D, lines, max(1, l.crashes/lines))
		if err != nil {
			return fmt.Errorf("lease %v: %w", D, err)
		}
		t.add(D, len(took), ratio(took.at(0.5), D), ratio(took.at(0.95), D), ratio(took.max(), D), millis(took.at(0.5)))
	}
	t.print(l.out)
	return nil
}

// crashes kills each line's leader so many times.
func crashes(l *lab, D time.Duration, lines, times int) (all sample, err error) {
	var mu sync.Mutex // guards all
	err = pipelined(lines, func(int) error {
		for left, tries := times, 0; left > 0; tries++ {
			done, err := l.crashLine(D, left, func(took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, took)
			})
			if left -= done; err != nil && (!errors.Is(err, errDeposed) || tries > 10) {
				return err
			}
		}
		return nil
	})
	return all, err
}

// crashLine kills the leaders of one line. It stops if one is deposed before it is killed: then
// this machine is overloaded, and the others have changed places.
func (l *lab) crashLine(D time.Duration, times int, note func(time.Duration)) (done int, err error) {
	all := l.ensemble.ConnectString()
	q, err := formQueue(l, post{connect: all, timeout: crashTimeout, lease: D, elections: 1}, 3, all)
	defer q.end()
	for ; err == nil && done < times; done++ {
		var took time.Duration
		if took, err = q.crash(); err != nil {
			break
		}
		note(took)
	}
	return done, err
}

// queue is a line of processes, the leader first.
type queue struct {
	l *lab
	post
	all    []*process
	struck int64 // when a fault struck it; 0: not yet, or together with others
}

// formQueue lines n processes up. The leader has a connect string of its own.
func formQueue(l *lab, p post, n int, leaders string) (*queue, error) {
	p.path = l.path("crash")
	q := &queue{l: l, post: p}
	for i := range n {
		what := p
		if i == 0 {
			what.connect = leaders
		}
		one, err := start(what)
		if err != nil {
			return q, err
		}
		q.all = append(q.all, one)
		if i > 1 {
			continue // candidates that wait behind the heir tell nothing
		}
		for range p.elections {
			if _, err := one.await(l, []string{"elected", "heir"}[i]); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// crash kills the leader, when the heir has been listening for a while, and lets another process
// join.
func (q *queue) crash() (time.Duration, error) {
	time.Sleep(q.lease + time.Duration(rand.Float64()*float64(q.lease)))
	leader, heir := q.all[0], q.all[1]
	if leader.told("deposed") {
		return 0, errDeposed
	}
	killed := leader.kill()
	elected, err := heir.await(q.l, "elected")
	if err != nil {
		return 0, err
	}
	p, err := start(q.post)
	if err != nil {
		return 0, err
	}
	q.all = append(slices.Clone(q.all[1:]), p)
	_, err = q.all[1].await(q.l, "heir")
	return time.Duration(elected - killed), err
}

func (q *queue) end() {
	for _, p := range slices.Backward(q.all) {
		p.end()
	}
}
