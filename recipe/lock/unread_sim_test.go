package lock_test

import (
	"context"
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The second acquisition in a row reads its znode a moment later. It has the token without that
// read. By that read it finds out what has happened to the znode before.
func TestAZnodeThatIsReadLater(t *testing.T) {
	const soon = stageD / 8 // D/16, and some messages
	for name, c := range map[string]struct {
		happens func(s *stage, h *lock.Held) error
		wait    func(told <-chan *lock.Held, h *lock.Held)
		cause   error
	}{
		"it is deleted": {
			func(s *stage, h *lock.Held) error { return s.Admin().Delete(s.T.Context(), h.Node(), -1) },
			func(_ <-chan *lock.Held, h *lock.Held) { <-h.Context().Done() }, recipe.ReasonNodeDeleted,
		},
		"somebody asks to let go": {
			func(s *stage, h *lock.Held) error {
				_, err := s.Admin().Set(s.T.Context(), h.Node(), []byte("__REVOKE__"), -1)
				return err
			},
			func(told <-chan *lock.Held, _ *lock.Held) { <-told }, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				told := make(chan *lock.Held, 1)
				a := s.process("a", lock.Config{OnRevoke: func(h *lock.Held) { told <- h }})
				release(t, a.acquire())
				reads := s.requests()[zktest.OpGetData]
				h := a.acquire()
				if nodes := s.inLine(); len(nodes) != 1 || nodes[0].Path != h.Node() || nodes[0].Stat.Czxid != h.Token() {
					t.Errorf("%s has token %d: %+v", h.Node(), h.Token(), nodes)
				}
				if n := s.requests()[zktest.OpGetData]; n != reads {
					t.Errorf("%d reads", n-reads)
				}
				begun := time.Now()
				shared.Must(t, c.happens(s, h))
				c.wait(told, h)
				if took := time.Since(begun); took > soon || h.Valid() != (c.cause == nil) {
					t.Errorf("it took %v; valid: %v", took, h.Valid())
				}
				if cause := context.Cause(h.Context()); c.cause != nil {
					want(t, cause, c.cause)
				} else {
					release(t, h)
				}
			})
		})
	}
}
