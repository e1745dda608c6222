package line

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// inSession gives f a session of a simulated server, in the time of a bubble. Every message takes a
// millisecond.
func inSession(t *testing.T, f func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64)) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}, OnRequest: func(r zktest.Request) {
			if r.Op == zktest.OpGetChildren2 {
				asked.Add(1)
			}
		}})
		f(t, e, open(t, e, "a"), &asked)
		synctest.Wait()
		if n := lists.Busy(); n != 0 {
			t.Errorf("%d lines are still being listed", n)
		}
	})
}

func open(t *testing.T, e *zktest.Ensemble, host string) *session.Session {
	t.Helper()
	return openWith(t, e, host, session.Config{})
}

func openWith(t *testing.T, e *zktest.Ensemble, host string, cfg session.Config) *session.Session {
	t.Helper()
	cfg.Dial = e.Host(host).Dial
	s, err := stage.Open(t, e.ConnectString(), cfg).Session(t.Context())
	stage.Must(t, err)
	return s
}

func TestThoseWhoJoinAtTheSameTimeShareTheirLists(t *testing.T) {
	inSession(t, func(t *testing.T, _ *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		const n = 100
		places := make([]*Place, n)
		var joining sync.WaitGroup
		for range n {
			joining.Go(func() {
				p, err := Join(t.Context(), s, Config{Dir: "/line", Style: Latch, Clock: clock.System})
				if err != nil {
					t.Error(err)
					return
				}
				places[p.Position()] = p // each has another one
			})
		}
		joining.Wait()
		for i, p := range places {
			switch {
			case p == nil:
				t.Fatalf("nobody has place %d", i)
			case !strings.HasSuffix(p.Name(), fmt.Sprintf("%010d", i)):
				t.Errorf("%s has place %d", p.Name(), i)
			case i == 0:
				continue
			}
			if ahead := p.ahead[len(p.ahead)-1].Full; ahead != places[i-1].Name() {
				t.Errorf("%s has %s ahead, want %s", p.Name(), ahead, places[i-1].Name())
			}
		}
		if l := lists.Load(); l > n/5 {
			t.Errorf("%d lists for %d candidates", l, n)
		}
	})
}

// A list that was begun before somebody's own create may lack its znode.
func TestAListUnderWayIsNotForThoseWhoComeLater(t *testing.T) {
	inSession(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		if err := s.EnsurePath(t.Context(), "/line", nil); err != nil {
			t.Fatal(err)
		}
		answers := make([]reading, 3)
		var asking sync.WaitGroup
		ask := func(i int) {
			asking.Go(func() {
				var err error
				if answers[i], err = read(t.Context(), clock.System, s, "/line", true); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // its request is on its way
		}
		e.Host("a").Hold() // so the first list is not answered before the others ask
		ask(0)
		ask(1)
		ask(2)
		if _, err := open(t, e, "b").Create(t.Context(), "/line/latch-0000000007", nil, 0, nil); err != nil {
			t.Fatal(err)
		}
		e.Host("a").Heal()
		asking.Wait()
		if n := lists.Load(); n != 2 || len(answers[1].names) != 1 || len(answers[2].names) != 1 {
			t.Errorf("%d lists, %v; want two lists, the later ones with the new name", n, answers)
		}
	})
}

// One that gives up does not take the list from the others that wait for it; the last one ends it.
func TestGivingUpAList(t *testing.T) {
	inSession(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		if err := s.EnsurePath(t.Context(), "/line", nil); err != nil {
			t.Fatal(err)
		}
		e.Host("a").Hold()
		enough := errors.New("enough")
		var errs [5]error
		var cancels [5]context.CancelCauseFunc
		var asking sync.WaitGroup
		var returned atomic.Int64
		ask := func(i int) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancels[i] = cancel
			asking.Go(func() {
				_, errs[i] = read(ctx, clock.System, s, "/line", true)
				returned.Add(1)
			})
			synctest.Wait() // its request is on its way
		}
		for i := range errs { // the first has one list, the others the next
			ask(i)
		}
		cancels[2](enough)
		synctest.Wait()
		cancels[0](enough) // the last of the first list: the next begins at once
		synctest.Wait()
		cancels[3](enough)
		synctest.Wait()
		e.Host("a").Heal()
		asking.Wait()
		for i, err := range errs {
			if gaveUp := i == 0 || i == 2 || i == 3; gaveUp != errors.Is(err, enough) || !gaveUp && err != nil {
				t.Errorf("the one with number %d: %v", i, err)
			}
		}
		asked := lists.Load()
		returned.Store(0)
		e.Host("a").Hold()
		ask(0)
		ask(1)
		cancels[1](enough) // alone with the next list, which is forgotten ...
		synctest.Wait()
		ask(2) // ... and is not for one that comes now
		cancels[0](enough)
		synctest.Wait()
		ask(3)
		cancels[3](enough)
		synctest.Wait()
		if n := returned.Load(); n != 3 {
			t.Errorf("%d of the 3 who gave up have returned", n)
		}
		e.Host("a").Heal()
		asking.Wait()
		if errs[2] != nil {
			t.Errorf("the one who came after somebody had given up: %v", errs[2])
		}
		await.Sleep(time.Second)
		if n := lists.Load() - asked; n != 2 { // the first, which had been asked for, and that of the one who stayed
			t.Errorf("%d lists", n)
		}
	})
}
