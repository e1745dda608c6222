package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

var (
	marginLeases = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, time.Second, 4 * time.Second}
	marginSteps  = []int{10, 30, 50, 60, 65, 70, 75, 80, 90} // hundredths of a lease
)

const marginLeaders = 9

// measureMargin finds out how long leaders, or all servers, may stand still without costing a term,
// and whether that is as long as the documents claim. It stops them for growing parts of the lease.
//
// The latest beat before a pause is up to D/4 old, a term's context ends D/16 before the lease, and
// the beat after the pause takes some time. So a term outlives a pause of 11/16 D less a beat. It
// outlives a stall of all servers for D/2: connections have to be made again then.
func measureMargin(l *lab) error {
	t := table{
		title: fmt.Sprintf("Terms that outlive a pause of so many leases, %d leaders, session timeout %v:", marginLeaders, crashTimeout),
		head:  []string{"what is stopped", "lease D"},
	}
	for _, step := range marginSteps {
		t.head = append(t.head, hundredths(step))
	}
	t.head = append(t.head, "longest that cost none", "a beat at most, ms", "claimed", "held")
	paused, beats := make([]*margin, len(marginLeases)), make([]time.Duration, len(marginLeases))
	err := pipelined(len(marginLeases), func(i int) (err error) { // leaders that are stopped disturb no others
		paused[i] = &margin{l: l, D: marginLeases[i], stop: stopProcesses}
		beats[i], err = l.whileWriting(paused[i].D/16, paused[i].measure)
		return err
	})
	if err != nil {
		return err
	}
	for i, m := range paused {
		m.addTo(&t, "the leader's process", millis(beats[i]), m.D*11/16-beats[i])
	}
	if !l.ensemble.External() {
		for _, D := range marginLeases {
			m := &margin{l: l, D: D, stop: l.stall}
			if err := m.measure(); err != nil {
				return err
			}
			m.addTo(&t, "all servers", "", D/2)
		}
	}
	t.print(l.out)
	return nil
}

// hundredths is a part of a lease, as tables have it.
func hundredths(n int) string { return fmt.Sprintf("%.3g", float64(n)/100) }

// margin is how many terms outlive each step.
type margin struct {
	l    *lab
	D    time.Duration
	stop func(all []*process, d time.Duration) error // for d; it returns when they go on

	all   []*process // the leaders
	kept  []int      // for each step
	times []int
}

// measure goes through all steps. A few more rounds make up for what did not come about, because
// this machine is overloaded.
func (m *margin) measure() error {
	m.all, m.kept, m.times = make([]*process, marginLeaders), make([]int, len(marginSteps)), make([]int, len(marginSteps))
	defer func() {
		for _, p := range m.all {
			if p != nil {
				p.end()
			}
		}
	}()
	err := pipelined(marginLeaders, func(i int) (err error) {
		if m.all[i], err = start(post{m.l.ensemble.ConnectString(), m.l.path("margin"), crashTimeout, m.D, 1}); err == nil {
			_, err = m.all[i].await(m.l, "elected")
		}
		return err
	})
	for step := 0; err == nil && step < len(marginSteps); step++ {
		for round := 0; err == nil && m.times[step] < m.l.pauses*marginLeaders && round < m.l.pauses+3; round++ {
			err = m.round(step)
		}
	}
	return err
}

// round stops leaders, or servers, once. It does not count if that took longer than it should, or
// if a leader was deposed before.
func (m *margin) round(step int) error {
	if err := m.spread(); err != nil {
		return err
	}
	if lost, err := m.lost(); lost > 0 || err != nil {
		return err
	}
	d, begun := m.part(marginSteps[step]), time.Now()
	if err := m.stop(m.all, d); err != nil {
		return err
	}
	inTime := time.Since(begun) <= d+m.D/100
	time.Sleep(m.D*9/8 - time.Since(begun)) // until all terms that are lost have ended
	lost, err := m.lost()
	if inTime {
		m.kept[step] += marginLeaders - lost
		m.times[step] += marginLeaders
	}
	return err
}

// spread makes the leaders beat one after the other, as far apart as D/4 allows. A leader's process
// that goes on after a pause of D/4 beats at once, because a beat was due meanwhile.
func (m *margin) spread() error {
	apart := m.D / 4 / marginLeaders
	err := pipelined(marginLeaders, func(i int) error {
		time.Sleep(apart * time.Duration(i))
		return stopProcesses(m.all[i:i+1], m.D/4)
	})
	time.Sleep(m.D/4 + time.Duration(rand.Float64()*float64(apart)))
	return err
}

// lost returns how many terms have ended since the last call. It waits until their leaders, which
// stand alone, lead again.
func (m *margin) lost() (n int, err error) {
	for _, p := range m.all {
		if !p.told("deposed") {
			continue
		}
		n++
		if _, err := p.await(m.l, "elected"); err != nil {
			return n, err
		}
	}
	return n, nil
}

// addTo adds a row. What is claimed holds if no step that is not longer has cost a term.
func (m *margin) addTo(t *table, what, beat string, claimed time.Duration) {
	cells := []any{what, m.D}
	longest, held, lost := "-", "not shown", false
	for i, step := range marginSteps {
		cells = append(cells, fmt.Sprintf("%d/%d", m.kept[i], m.times[i]))
		name, judged := hundredths(step)+" D", m.part(step) <= claimed
		switch {
		case lost:
		case m.kept[i] < m.times[i]:
			if lost = true; judged {
				held = "no, not " + name
			}
		case m.times[i] > 0:
			if longest = name; judged {
				held = "yes, up to " + name
			}
		}
	}
	t.add(append(cells, longest, beat, ratio(claimed, m.D)+" D", held)...)
}

// part is how long a step lasts.
func (m *margin) part(step int) time.Duration { return m.D * time.Duration(step) / 100 }

// stopProcesses stops leaders, all at the same time.
func stopProcesses(all []*process, d time.Duration) error {
	begun := time.Now()
	for _, p := range all {
		_ = p.cmd.Process.Signal(syscall.SIGSTOP) // a process that is gone is found out later
	}
	time.Sleep(d - time.Since(begun))
	for _, p := range all {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
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

// whileWriting calls do, and returns how long the slowest of the writes of a bare session took
// meanwhile.
func (l *lab) whileWriting(every time.Duration, do func() error) (slowest time.Duration, err error) {
	b, err := dialBare(l, l.server(0), crashTimeout)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	path := l.path("beat")
	if _, err := b.Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	err = pipelined(2, func(i int) error {
		if i == 0 {
			defer close(done)
			return do()
		}
		for {
			begun := time.Now()
			if _, err := b.Set(path, nil, -1); err != nil {
				return err
			}
			slowest = max(slowest, time.Since(begun))
			select {
			case <-done:
				return nil
			case <-time.After(every):
			}
		}
	})
	return slowest, err
}
