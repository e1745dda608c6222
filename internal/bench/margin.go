package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

var marginLeases = []time.Duration{400 * time.Millisecond, time.Second}

// measureMargin finds out how long leaders, or all servers, may stand still without costing a term:
// it stops them for growing parts of the lease.
func measureMargin(l *lab) error {
	const leaders = 6
	t := table{
		title: fmt.Sprintf("Terms that outlive a pause of so many leases, %d leaders, session timeout %v:", leaders, crashTimeout),
		head:  []string{"what is stopped", "lease D", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "longest that cost none"},
	}
	for _, D := range marginLeases {
		if err := margins(l, &t, "the leader's process", D, leaders, func(all []*process, d time.Duration) error {
			return pipelined(len(all), func(i int) error {
				time.Sleep(time.Duration(rand.Float64() * float64(D) / 4)) // at any time between two beats
				all[i].pause(d)
				return nil
			})
		}); err != nil {
			return err
		}
	}
	if !l.ensemble.External() {
		for _, D := range marginLeases {
			if err := margins(l, &t, "all servers", D, leaders, l.stall); err != nil {
				return err
			}
		}
	}
	t.print(l.out)
	return nil
}

// stall stops all servers at the same time, until d after the first may have stopped. It takes some
// milliseconds until all threads of a server have stopped, which must not make the stall longer.
func (l *lab) stall(_ []*process, d time.Duration) error {
	servers, begun := l.ensemble.Servers(), time.Now()
	if err := pipelined(len(servers), func(i int) error { return servers[i].Freeze() }); err != nil {
		return err
	}
	time.Sleep(d - time.Since(begun))
	return l.eachServer((*ensemble.Server).Thaw)
}

func (l *lab) eachServer(do func(*ensemble.Server) error) error {
	for _, s := range l.ensemble.Servers() {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

// margins fills one row. A leader whose term has ended leads again, as it is alone.
func margins(l *lab, t *table, what string, D time.Duration, leaders int, disturb func([]*process, time.Duration) error) error {
	all := make([]*process, leaders)
	defer func() {
		for _, p := range all {
			if p != nil {
				p.end()
			}
		}
	}()
	err := pipelined(leaders, func(i int) (err error) {
		if all[i], err = start(post{l.ensemble.ConnectString(), l.path("margin"), crashTimeout, D, 1}); err == nil {
			_, err = all[i].await(l, "elected")
		}
		return err
	})
	if err != nil {
		return err
	}
	cells := []any{what, D}
	longest, lost := "-", false
	for step := 1; step <= 9; step++ {
		kept, times := 0, 0
		for range l.pauses {
			time.Sleep(D)
			for _, p := range all {
				p.told("none") // forget what was
			}
			if err := disturb(all, D*time.Duration(step)/10); err != nil {
				return err
			}
			time.Sleep(D)
			for _, p := range all {
				times++
				if !p.told("deposed") {
					kept++
				} else if err := p.leads(l); err != nil {
					return err
				}
			}
		}
		cells = append(cells, fmt.Sprintf("%d/%d", kept, times))
		if lost = lost || kept < times; !lost {
			longest = fmt.Sprintf("0.%d D", step)
		}
	}
	t.add(append(cells, longest)...)
	return nil
}

// leads waits until the candidate, which stands alone, leads again.
func (p *process) leads(l *lab) error {
	_, err := p.await(l, "elected")
	return err
}
