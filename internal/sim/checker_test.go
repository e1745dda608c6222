package sim

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Tests of what the checker looks for and no variant shows.

func TestTheCheckerSeesAnObserverGoBack(t *testing.T) {
	c := newChecker(2*tick, tick)
	for i, id := range []string{"old", "new"} {
		ch := zktest.Change{Op: zktest.OpCreate, Path: electionPath(0) + "/latch-" + id, Owner: 1, Data: []byte(id)}
		c.committed(zktest.Commit{Op: zktest.OpCreate, Zxid: int64(5 + i), Changes: []zktest.Change{ch}})
		if i == 0 {
			ch.Op = zktest.OpDelete
			c.committed(zktest.Commit{Op: zktest.OpCloseSession, Zxid: 5, Changes: []zktest.Change{ch}})
		}
	}
	var last int64
	see := func(id string, token int64) {
		c.observed("o", electionPath(0), &last, election.Candidate{ID: id, Token: token, Node: electionPath(0) + "/latch-" + id})
	}
	see("old", 5)
	see("new", 6)
	if len(c.violations) != 0 {
		t.Fatalf("violations %v", c.violations)
	}
	see("old", 5)
	if len(c.violations) != 1 || c.violations[0].Invariant != "observer" {
		t.Errorf("violations %v", c.violations)
	}
}

func TestTheCensusSeesASessionAndAWatchThatAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{plan: Plan{Timeout: 2 * tick, Elections: 1}, check: newChecker(2*tick, tick)}
		w.locks = &lockChecker{checker: w.check, locks: map[string]*lockRecord{}}
		ens, err := zktest.New(zktest.Config{Servers: 3, InMemory: true, Tick: tick})
		if err != nil {
			t.Fatal(err)
		}
		w.ens = ens
		w.setUp()
		stray, err := session.Open(ens.ConnectString(), session.Config{Timeout: 2 * tick, Dial: ens.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer stray.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := stray.Session(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateProtected(ctx, electionPath(0), "latch-", nil, nil); err != nil {
			t.Fatal(err)
		}
		watch := s.Watch(electionPath(0), make(chan struct{}, 1))
		defer watch.Stop()
		if _, _, err := watch.Children(ctx); err != nil {
			t.Fatal(err)
		}
		w.tearDown()
		for _, what := range []string{"znode " + electionPath(0) + "/_c_", "session 0x", "a watch of session"} {
			found := 0
			for _, v := range w.check.violations {
				if v.Invariant == "census" && strings.HasPrefix(v.Detail, what) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%d times %q; violations %v", found, what, w.check.violations)
			}
		}
	})
}

func TestTheCheckerKnowsTheSizesOfASemaphore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, s := time.Now(), newPermits(3, true)
		time.Sleep(time.Second)
		s.sizes = append(s.sizes, sized{time.Now(), 1})
		time.Sleep(time.Second)
		reduced := time.Now()
		for d, want := range map[time.Duration]int{time.Second: 3, time.Second - 1: 1, time.Hour: 3, 0: 1} {
			if limit := s.limit(d); limit != want {
				t.Errorf("within %v the largest size was %d; want %d", d, limit, want)
			}
		}
		if !s.had(3, begun) || s.had(3, reduced) || !s.had(1, reduced) || s.had(2, begun) {
			t.Errorf("it has had 3 %v, 3 later %v, 1 later %v, 2 %v", s.had(3, begun), s.had(3, reduced), s.had(1, reduced), s.had(2, begun))
		}
	})
}
