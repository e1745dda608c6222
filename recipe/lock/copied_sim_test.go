package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Somebody has copied a reader's znode. A writer gets the same number. If it held the lock by that
// number, readers would take the copy for this writer, after a downgrade.
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

// A contender gets the number of a copy, and gives up while it joins. Nobody may take its
// announcement for one of the copy, whose original may be held elsewhere.
func TestWhoGivesUpWhileItJoinsDoesNotAnnounceACopyOfItsNumber(t *testing.T) {
	for ms := 1; ms <= 14; ms++ {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			release(t, s.process("a").acquire()) // it writes the record
			// The create of the copy uses up number 1.
			const copied = stagePath + "/_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-lock-0000000002"
			if err := s.Admin().EnsurePath(t.Context(), copied, nil); err != nil {
				t.Fatal(err)
			}
			b := s.process("b")
			s.Session(b.client)
			_, err := b.Acquire(s.Within(time.Duration(ms) * time.Millisecond))
			want(t, err, context.DeadlineExceeded)
			b.client.Close()
			waits := make(chan error, 1)
			c, d := s.process("c"), s.process("d")
			go func() {
				_, err := c.Acquire(s.Within(stageD))
				waits <- err
			}()
			s.Eventually("place", func() bool { return len(s.inLine()) == 2 })
			next := d.begin()
			s.Eventually("places", func() bool { return len(s.inLine()) == 3 })
			want(t, <-waits, context.DeadlineExceeded) // d looks who is ahead now
			select {
			case <-next:
				t.Fatalf("after one that gave up within %d ms, a contender passes the copy", ms)
			case <-time.After(3 * stageD):
			}
			if err := s.Admin().Delete(t.Context(), copied, -1); err != nil {
				t.Fatal(err)
			}
			release(t, <-next)
		})
	}
}
