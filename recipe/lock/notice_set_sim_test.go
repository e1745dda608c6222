package lock_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The places of a set have the same name in all lines. The end of one of them is not the end of the
// others.
func TestTheNoticeOfOneLockOfASetIsNotThatOfAnother(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, w := s.Client("a"), s.Client("w")
		set, err := lock.All(t.Context(), locks(t, a, "/x", "/y")...)
		if err != nil {
			t.Fatal(err)
		}
		next := make(chan *lock.Held, 1)
		go func() {
			h, err := locks(t, w, "/y")[0].Acquire(t.Context())
			if err != nil {
				t.Error(err)
			}
			next <- h
		}()
		await.Sleep(stageT)
		release(t, set.Held()[0])
		select {
		case h := <-next:
			t.Fatalf("two hold /y: %v, %v", h.Valid(), set.Held()[1].Valid())
		case <-time.After(2 * stageT):
		}
		// Now somebody else deletes the other place, which its owner does not hear.
		other := set.Held()[1]
		s.Host("a").Hold()
		if err := s.Admin().Delete(t.Context(), other.Node(), -1); err != nil {
			t.Fatal(err)
		}
		h := <-next
		if other.Valid() {
			t.Errorf("two hold /y: %v, %v", h.Valid(), other.Valid())
		}
		release(t, h)
		s.Host("a").Heal()
		_ = set.Release(t.Context()) // it was lost
	})
}

// A session that may create heartbeats can give notice of any place. That is worth nothing while
// the place stands.
func TestAForgedNoticeDoesNotEndALock(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, w := s.Client("a"), s.Client("w")
		held, err := locks(t, a, "/x")[0].Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := make(chan *lock.Held, 1)
		go func() {
			h, err := locks(t, w, "/x")[0].Acquire(t.Context())
			if err != nil {
				t.Error(err)
			}
			next <- h
		}()
		await.Sleep(stageT)
		admin := s.Admin()
		if _, err := admin.Multi(t.Context(), admin.Notice(held.Node())...); err != nil {
			t.Fatal(err)
		}
		select {
		case h := <-next:
			t.Errorf("two hold: %v, %v", h.Valid(), held.Valid())
			next <- h
		case <-time.After(2 * stageT):
		}
		release(t, held)
		release(t, <-next)
	})
}
