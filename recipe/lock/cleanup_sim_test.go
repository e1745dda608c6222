package lock_test

import (
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
