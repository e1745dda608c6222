package main

import (
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
)

// acquisitionRounds is how many acquisitions of a contended lock are counted at each scale.
const acquisitionRounds = 30

// measureAcquisitions counts what one acquisition of a contended lock costs: from the release until
// the next one holds the lock, and the one that has released it stands in line again.
func measureAcquisitions(l *lab) error {
	t := table{
		title: fmt.Sprintf("Requests for each acquisition of a contended lock, all contenders together, %d times:", acquisitionRounds),
		head:  []string{"waiting", "sessions", "requests", "of these writes", "events"},
	}
	for _, waiting := range []int{2, 10, 100, 1000} {
		c, sessions, err := countAcquisitions(l, waiting)
		if err != nil {
			return fmt.Errorf("%d waiting: %w", waiting, err)
		}
		per := func(n int) string { return fmt.Sprintf("%.1f", float64(n)/acquisitionRounds) }
		t.add(waiting, sessions, per(c.writes+c.reads), per(c.writes), per(c.events))
	}
	t.print(l.out)
	return nil
}

// acquisitionCost leaves out what keeps leases, and the periodic re-checks, as cost does. Writes
// are the requests that create or delete a znode.
type acquisitionCost struct{ writes, reads, events int }

// Each contender that gets an event while acquisitions are counted has a session of its own: those
// that have a turn, and the one that is next after the last of them. So what such a session reads
// after an event belongs to one place. Those further back share some sessions.
const (
	ownSessions    = acquisitionRounds + 2
	sharedSessions = 10
)

// countAcquisitions also returns how many sessions there were.
func countAcquisitions(l *lab, waiting int) (c acquisitionCost, sessions int, err error) {
	sessions = min(waiting+1, ownSessions+sharedSessions)
	err = unmoved(func() (err error) {
		c, err = tryAcquisitions(l, waiting, sessions)
		return err
	})
	return c, sessions, err
}

func tryAcquisitions(l *lab, waiting, sessions int) (c acquisitionCost, err error) {
	all, closeAll, err := openTappedAll(l, sessions)
	if err != nil {
		return c, err
	}
	defer closeAll()
	clients := untapped(all)
	for i := sessions; i <= waiting; i++ {
		clients = append(clients, clients[ownSessions+i%sharedSessions])
	}
	eye, err := dialBare(l, l.server(0), longTimeout)
	if err != nil {
		return c, err
	}
	defer eye.Close()
	q, err := formLockLine(l, waiting+1, ourContenders(clients), eye)
	if err != nil {
		return c, err
	}
	defer q.close()
	settled := func() error {
		err := q.await(eye, waiting+1)
		time.Sleep(50 * time.Millisecond) // answers under way
		return err
	}
	// Each place makes some first reads within 3/4 of a lease. Those of the places that are there
	// now do not belong to the acquisitions that are counted.
	time.Sleep(countLease)
	for range acquisitionRounds {
		if err := settled(); err != nil {
			return c, err
		}
		for _, t := range all {
			t.take()
			c.writes -= int(t.stamp.changes.Load())
		}
		if _, err := q.handOver(); err != nil {
			return c, err
		}
		if err := settled(); err != nil {
			return c, err
		}
		for _, t := range all {
			frames := t.take()
			if moved(frames) {
				return c, errMoved
			}
			c.add(q.path, frames)
			c.writes += int(t.stamp.changes.Load())
		}
	}
	return c, nil
}

// add counts the frames of one session.
func (c *acquisitionCost) add(path string, frames []faultproxy.Frame) {
	asks := false // a session that has heard of a departure reads the record; otherwise that is a re-check
	for _, f := range frames {
		switch {
		case f.Op == faultproxy.OpEvent:
			c.events++
			asks = asks || !noticed(f)
		case f.Dir != faultproxy.ToServer, beating(f), f.Op == faultproxy.OpExists && !noticed(f):
		case f.Op == faultproxy.OpGetData && f.Path == path:
			if asks {
				c.reads++
			}
			asks = false
		case f.Op == faultproxy.OpGetData, f.Op == faultproxy.OpExists, f.Op == faultproxy.OpGetChildren2:
			c.reads++
		}
	}
}
