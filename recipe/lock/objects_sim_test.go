package lock_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Each of very many objects is locked, and its path goes with the last that leaves. Three want each
// tenth object at the same time, and a path may go while one of them is about to join. Nobody hears
// of that, and tokens grow over the life of a path.
func TestVeryManyPathsAreMadeAndDeleted(t *testing.T) {
	objects := 100_000 / rounds.Stride(20)
	const underWay = 300
	cfg := zktest.Config{Servers: 1, OnCommit: func(zktest.Commit) {}} // else the stage keeps them all
	onStage(t, cfg, func(t *testing.T, s *stage) {
		s.Config = session.Config{Timeout: 20 * stageTick}
		var clients []*session.Client
		for i := range 3 {
			clients = append(clients, s.Client(fmt.Sprint(i)))
		}
		failed := func(ev lock.Event) {
			if ev.Kind == lock.EventFailed {
				t.Errorf("an attempt has failed: %v", ev.Err)
			}
		}
		slots := make(chan struct{}, underWay)
		var working sync.WaitGroup
		for i := range objects {
			contenders := 1
			if i%10 == 0 {
				contenders = 3
			}
			var last int64 // token; what is under the lock has an order
			for k := range contenders {
				slots <- struct{}{}
				working.Go(func() {
					defer func() { <-slots }()
					l, err := lock.New(clients[(i+k)%3], fmt.Sprintf("%s/%d", stagePath, i), lock.Config{ID: "x", Cleanup: true, OnEvent: failed})
					shared.Must(t, err)
					err = l.Do(t.Context(), func(_ context.Context, h *lock.Held) error {
						if h.Token() <= last || !h.Valid() {
							t.Errorf("object %d: token %d after %d, valid %v", i, h.Token(), last, h.Valid())
						}
						last = h.Token()
						return nil
					})
					if err != nil {
						t.Errorf("object %d: %v", i, err)
					}
				})
			}
		}
		working.Wait()
		if left := s.Below(stagePath); len(left) > 0 {
			t.Errorf("%d are left, such as %s", len(left), left[0].Path)
		}
	})
}
