package lock_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Somebody has copied a reader's znode. A writer gets the same number. If it held the lock by that number, readers would
// take the copy for this writer, after a downgrade.
func TestNobodyHoldsByTheNumberOfAZnodeThatWasCopied(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		admin := s.Admin()
		if err := admin.EnsureNode(t.Context(), stagePath, nil, nil); err != nil {
			t.Fatal(err)
		}
		// Its create uses up number 0.
		const copied = "/_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-__READ__0000000001"
		if err := admin.EnsurePath(t.Context(), stagePath+copied, nil); err != nil {
			t.Fatal(err)
		}
		held := s.rw("a").begin(writing)
		select {
		case <-held:
			t.Fatal("a writer holds by the number of the copy")
		case <-time.After(3 * stageD): // the copy is ahead of its next number
		}
		if err := admin.Delete(t.Context(), stagePath+copied, -1); err != nil {
			t.Fatal(err)
		}
		release(t, <-held)
	})
}
