package line

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// enterLock is enterLine in the line of a lock.
func enterLock(t *testing.T, s *session.Session) *Place { return enterAs(t, s, Write) }

// enterAs is enterLock for a writer or a reader.
func enterAs(t *testing.T, s *session.Session, style Style) *Place {
	t.Helper()
	p, err := Join(t.Context(), s, Config{Dir: "/l", Style: style, Clock: clock.System, Busy: true})
	stage.Must(t, err)
	return p
}

// lockLine returns places of a session each in the line of a lock. The first holds it.
func lockLine(t *testing.T, e *zktest.Ensemble, names ...string) (places []*Place) {
	t.Helper()
	for _, name := range names {
		places = append(places, enterLock(t, openWith(t, e, name, session.Config{Timeout: 10 * time.Second})))
	}
	stepUntil(t, places[0], func(st Standing) bool { return st.Lease != nil })
	places[0].Lead()
	return places
}

// attended steps for places until ctx ends.
func attended(ctx context.Context, t *testing.T, places ...*Place) (wait func()) {
	var all sync.WaitGroup
	for _, p := range places {
		all.Go(func() {
			for ctx.Err() == nil {
				st, err := p.Step(ctx, 0)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("%s: %v", p.path, err)
					}
					return
				}
				if st.TookOver != "" {
					t.Errorf("%s took over from %s", p.path, st.TookOver)
				}
				if st.Lease != nil && !p.led {
					p.Lead()
				}
				select {
				case <-p.Woken():
				case <-time.After(st.Next):
				case <-ctx.Done():
				}
			}
		})
	}
	return all.Wait
}

// Somebody takes away the permission to read the holder's znode, and newer servers then send no
// event when it goes. The third in line has a watch on it, and finds out nevertheless that it is
// the heir: otherwise the one behind it would take it for dead.
func TestTheThirdDoesNotRelyOnItsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		line := lockLine(t, e, "holder", "heir", "third")
		holder, heir, third := line[0], line[1], line[2]
		stage.Must(t, third.Leave(t.Context())) // its session has beaten, and it comes again
		third = enterLock(t, third.s)
		last := enterLock(t, openWith(t, e, "last", session.Config{Timeout: 10 * time.Second}))
		ctx, cancel := context.WithCancel(t.Context())
		wait := attended(ctx, t, heir, third, last)
		await.Sleep(20 * time.Second)
		stage.SetACL(t, e, holder.path, zk.WorldACL(zk.PermWrite))
		stage.Must(t, holder.Leave(t.Context()))
		await.Sleep(30 * time.Second)
		cancel()
		wait()
		if third.hold.Lease() == nil || third.s.Err() != nil {
			t.Errorf("the heir has no lease; its session: %v", third.s.Err())
		}
	})
}

// bounded is a clock that ends a test in which somebody asks for the time without end.
type bounded struct {
	clock.Clock
	t    *testing.T
	left int
}

func (b *bounded) Now() clock.Instant {
	if b.left--; b.left < 0 {
		b.t.Fatal("it asks for the time again and again")
	}
	return b.Clock.Now()
}

// Somebody deletes the znode before the nearest and makes another under its name, at once.
func TestADeletionIsHeardAlthoughTheNameIsThereAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		line := lockLine(t, e, "holder", "heir", "third")
		third := line[2]
		stepUntil(t, third, func(Standing) bool { return third.before != nil && third.before.Armed() })
		third.cfg.Clock = &bounded{third.cfg.Clock, t, 1000}
		_, err := open(t, e, "admin").Multi(t.Context(),
			&zk.DeleteRequest{Path: line[0].path, Version: -1},
			&zk.CreateRequest{Path: line[0].path, Acl: zk.WorldACL(zk.PermAll)})
		stage.Must(t, err)
		stepUntil(t, third, func(st Standing) bool { return st.Position == 1 })
	})
}

// Many readers wait behind a writer, and that one waits for another. When the first is gone, the
// readers are not woken: all their sessions would beat at the same moment.
func TestReadersBehindAWriterAreNotWokenByTheOneBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		line := lockLine(t, e, "holder", "heir")
		waiting := line[1:]
		for i := range 10 {
			s := openWith(t, e, fmt.Sprint("reader ", i), session.Config{Timeout: 10 * time.Second})
			waiting = append(waiting, enterAs(t, s, Read))
		}
		ctx, cancel := context.WithCancel(t.Context())
		wait := attended(ctx, t, waiting...)
		await.Sleep(20 * time.Second)
		before := e.Counts().Events
		stage.Must(t, line[0].Leave(t.Context()))
		await.Sleep(20 * time.Millisecond)
		if events := e.Counts().Events - before; events > 4 {
			t.Errorf("%d events; want those of the holder and of the heir", events)
		}
		cancel()
		wait()
	})
}
