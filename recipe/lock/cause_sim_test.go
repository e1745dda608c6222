package lock_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A contender is given up while it waits for an answer, and the cause wraps the answer to another
// request. It does not take its own znode for gone, and leaves the line. The session goes on
// beating for another lock, so nobody would take the znode over.
func TestACauseThatWrapsAnAnswerLeavesNoZnode(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		other, err := lock.New(b.client, "/other", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := a.acquire()
		ctx, cancel := context.WithCancelCause(t.Context())
		given := make(chan error)
		go func() { _, err := b.Acquire(ctx); given <- err }()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		next := c.begin()
		s.Eventually("line of three", func() bool { return len(s.inLine()) == 3 })
		own := s.Session(b.client)
		b.host.Hold()
		s.Eventually("no connection", func() bool { return own.State() == session.StateSuspended })
		why := fmt.Errorf("no configuration: %w", zk.ErrNoNode)
		cancel(why)
		want(t, <-given, why)
		b.host.Heal()
		s.Eventually("line of two again", func() bool { return len(s.inLine()) == 2 })
		if own.Err() != nil {
			t.Errorf("the session is over: %v", own.Err())
		}
		release(t, h)
		release(t, <-next)
	})
}

// A session may end because there is no permission to delete a znode at another path. That is no
// refusal of this lock.
func TestASessionThatEndsForAnotherPathIsReplaced(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		h := a.acquire()
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		own := s.Session(b.client)
		if err := own.EnsurePath(t.Context(), "/other", zk.WorldACL(zk.PermAll&^zk.PermDelete)); err != nil {
			t.Fatal(err)
		}
		stray, err := own.CreateProtected(t.Context(), "/other", "n-", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		own.DeleteInBackground(stray, nil)
		<-own.Done()
		want(t, own.Err(), session.ErrStray)
		release(t, h)
		release(t, <-next)
	})
}
