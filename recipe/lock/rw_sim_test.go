package lock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Readers that come and go for ever do not keep a writer waiting. Writers do not keep a reader
// waiting either.
func TestNobodyStarves(t *testing.T) {
	for name, kind := range map[string]bool{"readers": reading, "writers": writing} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{}, 4)
				for i := range 4 {
					b := s.rw(fmt.Sprint(i))
					l := b.Write()
					if kind == reading {
						l = b.Read()
					}
					go func() {
						for ctx.Err() == nil {
							l.Do(ctx, func(context.Context, *lock.Held) error { time.Sleep(100 * time.Millisecond); return nil })
						}
						done <- struct{}{}
					}()
				}
				await.Sleep(time.Second)
				other := s.rw("other")
				for range 5 {
					begun := time.Now()
					release(t, other.acquire(!kind))
					if took := time.Since(begun); took > time.Second {
						t.Errorf("it took %v", took)
					}
				}
				stop()
				for range 4 {
					<-done
				}
			})
		})
	}
}
