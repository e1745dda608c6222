package lock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Where nobody may delete beside the heartbeats there is no notice, but departures are announced
// all the same.
func TestALockIsHandedOverWithoutNotice(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		admin := s.Admin()
		if err := admin.EnsurePath(t.Context(), "/zkrecipe", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Create(t.Context(), "/zkrecipe/beats", nil, 0, zk.WorldACL(zk.PermAll&^zk.PermDelete)); err != nil {
			t.Fatal(err)
		}
		held, waiting := s.process("a").acquire(), s.process("b")
		for i := range 4 {
			next := waiting.begin()
			await.Sleep(stageT)
			begun := time.Now()
			release(t, held)
			held = <-next
			if took := time.Since(begun); took > 100*time.Millisecond {
				t.Errorf("hand-over %d took %v", i, took)
			}
			waiting = s.process(fmt.Sprint("c", i))
		}
		release(t, held)
	})
}

// A holder that was alone and leaves after a moment gives no notice. One that has come meanwhile
// reads the record, and does not wait for a lease.
func TestALockThatWasHeldForAMomentIsHandedOverByTheRecord(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		release(t, b.acquire())
		release(t, a.acquire())
		held := a.acquire()
		next := b.begin()
		await.Sleep(20 * time.Millisecond)
		if got := s.inLine(); len(got) != 2 {
			t.Fatalf("in line: %v", got)
		}
		begun, commits := time.Now(), s.Commits.Len()
		release(t, held)
		after := <-next
		if took := time.Since(begun); took > 20*time.Millisecond {
			t.Errorf("the hand-over took %v", took)
		}
		if c := s.Commits.All()[commits]; len(c.Changes) != 2 {
			t.Errorf("the departure changes %+v", c.Changes)
		}
		release(t, after)
	})
}

// What is remembered of the record is old after a lease: somebody may have changed it.
func TestARecordThatWasChangedMeanwhileIsRead(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		release(t, a.acquire())
		await.Sleep(2 * stageD)
		record := []byte("zkrecipe line 1\nlease 200ms\nsettled 0\n")
		if _, err := s.Admin().Set(t.Context(), stagePath, record, -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(time.Second)
		h, err := a.Acquire(t.Context())
		if err == nil {
			release(t, h)
		}
		var tooLong *recipe.LeaseError
		if !errors.As(err, &tooLong) {
			t.Errorf("acquired with %v; want a LeaseError", err)
		}
	})
}

// A lock may stand in the directory of the heartbeats. What is refused there is not the notice for
// that alone.
func TestALockBesideTheHeartbeatsIsHandedOver(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config = session.Config{Beats: "/beats"}
		beside := func(name string) *process {
			p := s.process(name)
			var err error
			if p.Lock, err = lock.New(p.client, "/beats/l", lock.Config{ID: name}); err != nil {
				t.Fatal(err)
			}
			return p
		}
		held, b, c := beside("a").acquire(), beside("b"), beside("c")
		ctx, giveUp := context.WithTimeout(t.Context(), stageD/8)
		defer giveUp()
		_, err := b.Acquire(ctx) // which writes into the record when it gives up
		want(t, err, context.DeadlineExceeded)
		next := c.begin()
		await.Sleep(stageD / 8)
		begun := time.Now()
		release(t, held)
		held = <-next
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("the hand-over took %v", took)
		}
		release(t, held)
	})
}
