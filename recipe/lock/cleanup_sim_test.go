package lock_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The connection is lost with the transaction that deletes the last znode and the path, before it
// is carried out or after that. The path goes all the same.
func TestCleanupSurvivesALostConnection(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"request": zktest.LoseRequest, "answer": zktest.LoseReply} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				h := s.process("a", lock.Config{Cleanup: true}).acquire()
				rule := s.On(zktest.Match{Op: zktest.OpMulti, Path: stagePath, Nth: 1}, effect)
				release(t, h)
				if rule.Hits() != 1 {
					t.Errorf("%d transactions were lost", rule.Hits())
				}
				if slices.ContainsFunc(s.Nodes(), func(n zktest.Node) bool { return n.Path == stagePath }) {
					t.Error("the path is there still")
				}
			})
		})
	}
}

// Nobody waits for a transaction that the servers refuse for a reason of their own. The path stays.
func TestCleanupThatIsRefusedDoesNotKeepTheLock(t *testing.T) {
	for _, code := range []zktest.Code{-1, -5, -100} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				h := s.process("a", lock.Config{Cleanup: true}).acquire()
				rule := s.On(zktest.Match{Op: zktest.OpMulti, Path: stagePath}, zktest.Fail(code))
				if err := h.Release(s.Within(stageD)); err != nil {
					t.Error(err)
				}
				if n := rule.Hits(); n == 0 || n > 10 {
					t.Errorf("tried %d times", n)
				}
				rule.Remove()
				release(t, s.process("b").acquire())
			})
		})
	}
}

// Readers leave the path, and so does a waiter that gives up as the last. A writer that tries, and
// releases what it gets, deletes it, and does nothing while a reader is there.
func TestAWritersTryDeletesAPathThatWasLeft(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, s *stage, try func() error){
		"by a reader": func(t *testing.T, s *stage, try func() error) {
			h := s.rw("a", lock.Config{Cleanup: true}).acquire(reading)
			want(t, try(), lock.ErrBusy)
			release(t, h)
		},
		"by a writer that has become a reader": func(t *testing.T, s *stage, try func() error) {
			h, err := s.rw("a", lock.Config{Cleanup: true}).acquire(writing).Downgrade(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want(t, try(), lock.ErrBusy)
			release(t, h)
		},
		"by a waiter that gives up": func(t *testing.T, s *stage, try func() error) {
			a, b := s.rw("a", lock.Config{Cleanup: true}), s.rw("b", lock.Config{Cleanup: true})
			h := a.acquire(writing)
			gaveUp, ctx := make(chan error, 1), s.Within(stageD)
			go func() { _, err := b.Write().Acquire(ctx); gaveUp <- err }()
			s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
			if err := s.Admin().Delete(t.Context(), h.Node(), -1); err != nil { // b has to wait for its lease
				t.Fatal(err)
			}
			want(t, <-gaveUp, context.DeadlineExceeded)
			s.Eventually("empty line", func() bool { return len(s.inLine()) == 0 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				there := func() bool {
					return slices.ContainsFunc(s.Nodes(), func(n zktest.Node) bool { return n.Path == stagePath })
				}
				w := s.rw("w", lock.Config{Cleanup: true}).Write()
				try := func() error {
					h, err := w.TryAcquire(s.Within(stageT))
					if err == nil {
						release(t, h)
					}
					return err
				}
				leave(t, s, try)
				if !there() {
					t.Error("the path is gone already")
				}
				for range 2 { // the second time there is no path
					want(t, try(), nil)
					if there() {
						t.Error("the path is there still")
					}
				}
			})
		})
	}
}
