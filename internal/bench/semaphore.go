package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// permitsOf is the size of the semaphore that is measured.
const permitsOf = 10

// semaphoreRounds is how many permits change hands at each scale.
const semaphoreRounds = 30

// measureSemaphore counts what it costs when one permit changes hands. It counts from the release
// until the next user stands at the front, and the one that released the permit stands in line
// again.
func measureSemaphore(l *lab) error {
	t := table{
		title: fmt.Sprintf("A semaphore of %d permits, one of which changes hands, %d times, all together:", permitsOf, semaphoreRounds),
		head: []string{"waiting", "sessions", "writes", "reads", "woken by the permit", "woken by the line",
			"release to acquired, ms: p50", "p90"},
	}
	for _, waiting := range []int{1, 10, 100} {
		c, err := countPermits(l, waiting, 10)
		if err != nil {
			return fmt.Errorf("%d waiting: %w", waiting, err)
		}
		per := func(n int) string { return fmt.Sprintf("%.1f", float64(n)/semaphoreRounds) }
		t.add(waiting, 10, per(c.writes), per(c.reads), per(c.byPermit), per(c.byLine), millis(c.took.at(0.5)), millis(c.took.at(0.9)))
	}
	t.print(l.out)
	return nil
}

// permitCost is what has passed on the wire for all hand-overs, without what keeps leases: pings,
// beats, the reading of heartbeats, and the periodic re-checks of the line. The re-checks are all
// requests of exists about znodes of the line.
type permitCost struct {
	writes, reads    int
	byPermit, byLine int // watches that have fired: on the list of permits, and on a place ahead in line
	took             sample
}

func countPermits(l *lab, waiting, sessions int) (c permitCost, err error) {
	err = unmoved(func() (err error) {
		c, err = tryPermits(l, waiting, sessions)
		return err
	})
	return c, err
}

func tryPermits(l *lab, waiting, sessions int) (c permitCost, err error) {
	u := &users{l: l, path: l.path("semaphore"), acquired: make(chan *semaphore.Permit, waiting+permitsOf)}
	defer u.stop()
	if err := u.start(waiting, sessions); err != nil {
		return c, err
	}
	var held []*semaphore.Permit
	for range permitsOf {
		p, err := receive(l, u.acquired)
		if err != nil {
			return c, err
		}
		held = append(held, p)
	}
	for range semaphoreRounds {
		if err := u.settled(waiting); err != nil {
			return c, err
		}
		for _, t := range u.clients {
			t.take()
		}
		begun := time.Now()
		go held[0].Release(u.ctx)
		p, err := receive(l, u.acquired)
		if err != nil {
			return c, err
		}
		c.took = append(c.took, time.Since(begun))
		held = append(held[1:], p)
		if err := u.settled(waiting); err != nil {
			return c, err
		}
		for _, t := range u.clients {
			frames := t.take()
			if moved(frames) {
				return c, errMoved
			}
			c.add(u.path, frames)
		}
	}
	return c, nil
}

func (c *permitCost) add(path string, frames []faultproxy.Frame) {
	for _, f := range frames {
		switch {
		case f.Op == faultproxy.OpEvent && f.Path == path+"/leases":
			if f.Event == childrenChanged {
				c.byPermit++
			}
		case f.Op == faultproxy.OpEvent:
			c.byLine++
		case f.Dir != faultproxy.ToServer, f.Op == faultproxy.OpPing, beating(f),
			f.Op == faultproxy.OpExists && strings.HasPrefix(f.Path, path+"/locks/"):
		case f.Op == faultproxy.OpGetData, f.Op == faultproxy.OpExists, f.Op == faultproxy.OpGetChildren2:
			c.reads++
		default:
			c.writes++
		}
	}
}

// childrenChanged is the type of a watch event (EventType.NodeChildrenChanged).
const childrenChanged = 4

// users compete for permits. After a release, a user asks for another permit.
type users struct {
	l        *lab
	path     string
	clients  []*tapped
	closeAll func()                 // the clients
	eye      *ours                  // looks on, uncounted
	acquired chan *semaphore.Permit // has room for all
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func (u *users) start(waiting, sessions int) error {
	u.ctx, u.cancel = context.WithCancel(u.l.ctx)
	var err error
	if u.eye, err = openOurs(u.l, u.l.server(0), countTimeout, countLease); err != nil {
		return err
	}
	if u.clients, u.closeAll, err = openTappedAll(u.l, sessions); err != nil {
		return err
	}
	for i := range waiting + permitsOf {
		sem, err := semaphore.New(u.clients[i%sessions].Client, u.path, permitsOf, semaphore.Config{})
		if err != nil {
			return err
		}
		u.running.Go(func() { u.use(sem) })
	}
	return nil
}

func (u *users) use(sem *semaphore.Semaphore) {
	for u.ctx.Err() == nil {
		p, err := sem.Acquire(u.ctx)
		if err != nil {
			return
		}
		u.acquired <- p
		<-p.Context().Done() // it was released, or the session is closed
		p.Release(context.WithoutCancel(u.ctx))
	}
}

// settled waits until all who wait stand in line, and the first of them at the permits.
func (u *users) settled(waiting int) error {
	s, err := u.eye.Session(u.l.ctx)
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		locks, _, err := s.Exists(u.l.ctx, u.path+"/locks")
		if err != nil {
			return err
		}
		leases, _, err := s.Exists(u.l.ctx, u.path+"/leases")
		if err != nil {
			return err
		}
		if int(locks.NumChildren) == waiting && int(leases.NumChildren) == permitsOf+1 {
			time.Sleep(50 * time.Millisecond) // answers under way
			return nil
		}
	}
	return errStuck
}

func (u *users) stop() {
	u.cancel()
	if u.eye != nil {
		u.eye.Close()
	}
	if u.closeAll != nil {
		u.closeAll()
	}
	u.running.Wait()
}
