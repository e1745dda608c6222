package lock_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Nobody is in the line when a holder has crashed and its session has expired, but its lease may
// run. No other contender is needed for the lock to be free again.
func TestTryWaitsForALeaseThatMayRun(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		s.Session(c.client)
		old := a.acquire()
		a.host.Drop()
		begun := time.Now()
		s.ExpireSession(s.Session(a.client).ID())
		ctx, cancel := context.WithTimeout(t.Context(), stageD/4)
		_, err := b.TryAcquire(ctx)
		cancel()
		want(t, err, context.DeadlineExceeded)
		if err != nil && !strings.Contains(err.Error(), "lease") {
			t.Errorf("%v does not say what it has waited for", err)
		}
		if !old.Valid() {
			t.Error("the lease has not outlived the session: nothing is shown")
		}
		for len(s.inLine()) > 0 { // its znode is deleted in the background
			await.Sleep(time.Millisecond)
		}
		second := s.begin("b", b.TryAcquire, false) // compared with the old one
		for len(s.inLine()) == 0 {
			await.Sleep(time.Millisecond)
		}
		_, err = c.TryAcquire(t.Context())
		want(t, err, lock.ErrBusy) // another waits
		h := <-second
		if took := time.Since(begun); took > 2*stageD {
			t.Errorf("it took %v", took)
		}
		release(t, h)
	})
}

// Somebody has created a znode of another kind below the path. It does not stand in the line, but
// its number is missing there, and may have been that of a holder that has vanished.
func TestAZnodeOfAnotherKindCostsTryAcquireOneWait(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		release(t, a.acquire())
		if _, err := s.Admin().Create(t.Context(), stagePath+"/foo", nil, zk.FlagPersistent, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			begun := time.Now()
			h, err := b.TryAcquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 2*stageD || took > stageD/4 && i > 0 {
				t.Errorf("number %d took %v", i, took)
			}
			release(t, h)
		}
		if n := b.count(lock.EventWithheld); n != 1 {
			t.Errorf("%d events tell of a wait; want 1", n)
		}
	})
}

func TestTryReturnsByItsContext(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		a.host.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := a.TryAcquire(ctx)
		want(t, err, context.DeadlineExceeded)
		if took := time.Since(begun); took > 1100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// One or two try at each moment before, during and after a release. The lock is busy only if the
// holder was in the line after the try had begun, or the other has the lock. One that finds it busy
// without the other writes nothing, and none leaves anything.
func TestTryInTheMomentOfARelease(t *testing.T) {
	for n := 1; n <= 2; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			acquired := map[int]int{}
			for at := -8 * time.Millisecond; at <= 8*time.Millisecond; at += time.Millisecond / 2 {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					acquired[s.tryAtRelease(n, at)]++
				})
			}
			if acquired[0] == 0 || acquired[1] == 0 || acquired[2] > 0 {
				t.Errorf("so many have acquired it, and how often: %v", acquired)
			}
		})
	}
}

// tryAtRelease lets n try so long after a release has begun. It returns how many have acquired.
func (s *stage) tryAtRelease(n int, at time.Duration) int {
	t := s.T
	a, all := s.process("a"), []*process{s.process("b"), s.process("c")}
	tried := map[int64]bool{}
	for _, p := range all {
		tried[s.Session(p.client).ID()] = true
	}
	old := a.acquire()
	released := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { release(t, old); close(released) })
	await.Sleep(20*time.Millisecond + at)
	begun, before, ctx := time.Now(), s.Commits.Len(), s.Within(time.Second)
	got, errs := make(chan *lock.Held, n), make(chan error, n)
	for _, p := range all[:n] {
		go func() {
			h, err := p.TryAcquire(ctx)
			if err == nil {
				s.turns.Begin(t, p.name, h, false) // the old one may not be valid any more
				got <- h
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			want(t, err, lock.ErrBusy)
		}
	}
	<-released
	ofHolder := func(c zktest.Change) bool { return c.Op == zktest.OpDelete && c.Path == old.Node() }
	gone := s.Commits.Next(t, "end of the holder", 0, 1, func(c zktest.Commit) bool {
		return c.Err == zktest.CodeOK && slices.ContainsFunc(c.Changes, ofHolder)
	})
	if len(got) == 0 && gone.Time.Before(begun) {
		t.Errorf("at %v: busy, although the holder had gone %v before", at, begun.Sub(gone.Time))
	}
	for _, c := range s.Commits.All()[before:] {
		if len(got) == 0 && n == 1 && tried[c.Session] {
			t.Errorf("at %v: it has written %+v", at, c)
		}
	}
	acquired := len(got)
	for range acquired {
		release(t, <-got)
	}
	await.Sleep(time.Second)
	if n := len(s.inLine()); n != 0 {
		t.Errorf("at %v: %d are left", at, n)
	}
	release(t, all[0].acquire())
	return acquired
}
