package recipe_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A process holds many locks, or permits of many semaphores, loses them together in an outage, and
// fails to get them again. What it says does not grow with their number.
func TestManyLocksAndSemaphoresSayAFewLinesInAnOutage(t *testing.T) {
	type held interface {
		Context() context.Context
		Release(context.Context) error
	}
	type acquired struct {
		acquire func(context.Context) (held, error)
		counts  func() recipe.Counts
	}
	for name, c := range map[string]struct {
		make   func(client *session.Client, path string) (acquired, error)
		failed string // what a failure says
	}{
		"lock": {func(client *session.Client, path string) (acquired, error) {
			l, err := lock.New(client, path, lock.Config{})
			return acquired{
				func(ctx context.Context) (held, error) { return l.Acquire(ctx) },
				func() recipe.Counts { return l.Status().Counts },
			}, err
		}, "not in line"},
		"semaphore": {func(client *session.Client, path string) (acquired, error) {
			s, err := semaphore.New(client, path, 1, semaphore.Config{})
			return acquired{
				func(ctx context.Context) (held, error) { return s.Acquire(ctx) },
				func() recipe.Counts { return s.Status().Counts },
			}, err
		}, "not acquired"},
	} {
		t.Run(name, func(t *testing.T) {
			const many, outage = 150, 10 * time.Minute
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				t, log := s.T, stage.NewVolume()
				client := s.Open("a", session.Config{Logger: slog.New(log)})
				ctx, cancel := context.WithCancel(t.Context())
				var counts []func() recipe.Counts
				var holding, all sync.WaitGroup
				holding.Add(many)
				for i := range many {
					r, err := c.make(client, fmt.Sprintf("/many/%d", i))
					stage.Must(t, err)
					counts = append(counts, r.counts)
					all.Go(func() {
						h, err := r.acquire(ctx)
						holding.Done()
						if err != nil {
							t.Error(err)
							return
						}
						<-h.Context().Done()
						h.Release(ctx)
						r.acquire(ctx) // fails
					})
				}
				holding.Wait()
				s.Host("a").Drop()
				await.Sleep(outage)
				cancel()
				all.Wait()
				client.Close()
				failed, ended := 0, 0
				for _, of := range counts {
					c := of()
					failed += int(c.Failed)
					for _, n := range c.Ended {
						ended += int(n)
					}
				}
				t.Log(log)
				if n := float64(log.All()) / outage.Seconds(); n > 1 {
					t.Errorf("%.1f lines per second", n)
				}
				if n := log.Counted("no session") + log.Counted(c.failed); failed == 0 || n != failed {
					t.Errorf("%d lines that it failed were written or counted, of %d", n, failed)
				}
				if n := log.Written("ended"); ended != many || n > 50 || log.Counted("ended") != many {
					t.Errorf("%d have ended; %d lines, %d with those left out", ended, n, log.Counted("ended"))
				}
			})
		})
	}
}
