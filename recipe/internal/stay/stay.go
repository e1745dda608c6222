// Package stay is one stay of one znode in one session: from the create to the deletion, which is
// bounded for the caller and goes on in the background.
package stay

import (
	"context"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// Stay is a place in a line, in the session that it belongs to.
type Stay struct {
	*line.Place
	S     *session.Session
	Begun clock.Instant

	clock    clock.Clock
	unlisten func()
}

// Enter joins the line. It gives up after twice the session timeout, so that a request that the
// servers never answer is reported.
func Enter(ctx context.Context, s *session.Session, cfg line.Config) (*Stay, error) {
	bounded, cancel := life.Within(ctx, cfg.Clock, 2*s.Timeout())
	defer cancel()
	place, err := line.Join(bounded, s, cfg)
	if err != nil {
		return nil, err
	}
	return begin(place, s, cfg), nil
}

// EnterAll is Enter for several lines at once, all or none.
func EnterAll(ctx context.Context, s *session.Session, cfgs []line.Config) ([]*Stay, error) {
	bounded, cancel := life.Within(ctx, cfgs[0].Clock, 2*s.Timeout())
	defer cancel()
	places, err := line.JoinAll(bounded, s, cfgs)
	if err != nil {
		return nil, err
	}
	var all []*Stay
	for i, place := range places {
		all = append(all, begin(place, s, cfgs[i]))
	}
	return all, nil
}

func begin(place *line.Place, s *session.Session, cfg line.Config) *Stay {
	return &Stay{Place: place, S: s, Begun: cfg.Clock.Now(), clock: cfg.Clock, unlisten: func() {}}
}

// Report calls f with every loss of the connection (false) and its return (true), until the stay
// ends. It must not block.
func (st *Stay) Report(f func(connected bool)) {
	var mu sync.Mutex // no call of f after the stay
	over, suspended := false, false
	stop := st.S.Subscribe(func(state session.State) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case over:
		case state == session.StateSuspended:
			suspended = true
			f(false)
		case state == session.StateConnected && suspended:
			f(true)
		}
	})
	st.unlisten = func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

// leaveFor is for how long Late goes on after its context has ended.
const leaveFor = 3 * time.Second

// Late returns a context that ends a short time after ctx, or that time from now if ctx has ended
// already. It is for what has to be finished when ctx ends.
func Late(ctx context.Context, c clock.Clock) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	giveUp := func() { cancel(context.DeadlineExceeded) }
	var stop func() bool
	if ctx.Err() != nil {
		stop = c.AfterFunc(leaveFor, giveUp)
	} else {
		stop = context.AfterFunc(ctx, func() { clock.Sleep(late, c, leaveFor); giveUp() })
	}
	return late, func() { stop(); cancel(nil) }
}

// Leave ends the stay: it deletes the znode and waits until it is gone. When ctx has ended, it
// waits only for a short time, see [Late]. After that the session goes on trying, and the error
// tells why the znode is still there. gone says that the znode is gone already.
func (st *Stay) Leave(ctx context.Context, gone bool) error {
	late, cancel := Late(ctx, st.clock)
	defer cancel()
	return st.LeaveBy(late, gone)
}

// LeaveBy is Leave that waits until ctx ends.
func (st *Stay) LeaveBy(ctx context.Context, gone bool) error {
	defer st.unlisten()
	return leave(ctx, st.S, st.Place, gone)
}

// A Place is a line.Place, or something else with the same rules, such as a permit of a semaphore.
type Place interface {
	// Leave deletes its znodes. It tries again until they are gone, ctx ends, or the session is
	// over.
	Leave(ctx context.Context) error
	// Abandon deletes them in the background.
	Abandon()
	// Drop forgets the place of a session that is over, or of znodes that are gone.
	Drop()
}

// Leave is [Stay.Leave] for any place of a session.
func Leave(ctx context.Context, c clock.Clock, s *session.Session, p Place, gone bool) error {
	late, cancel := Late(ctx, c)
	defer cancel()
	return leave(late, s, p, gone)
}

func leave(ctx context.Context, s *session.Session, p Place, gone bool) error {
	switch {
	case gone:
		p.Drop()
		return nil
	case s.Err() != nil:
		p.Drop()
		return s.Err() // the ensemble may not have ended the session yet
	}
	err := p.Leave(ctx)
	if err != nil {
		p.Abandon()
	}
	return err
}
