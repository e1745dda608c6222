package semaphore_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A process holds permits of many semaphores, loses them together in an outage, and fails to get
// them again. What it says does not grow with the semaphores.
func TestManySemaphoresSayAFewLinesInAnOutage(t *testing.T) {
	const semaphores, outage = 150, 10 * time.Minute
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		log := shared.NewVolume()
		client := s.Open("a", session.Config{Logger: slog.New(log)})
		ctx, cancel := context.WithCancel(t.Context())
		var counts []func() recipe.Counts
		var held, all sync.WaitGroup
		held.Add(semaphores)
		for i := range semaphores {
			sem, err := semaphore.New(client, fmt.Sprintf("%s/%d", stagePath, i), 1, semaphore.Config{})
			if err != nil {
				t.Fatal(err)
			}
			counts = append(counts, func() recipe.Counts { return sem.Status().Counts })
			all.Go(func() {
				p, err := sem.Acquire(ctx)
				held.Done()
				if err != nil {
					t.Error(err)
					return
				}
				<-p.Context().Done()
				p.Release(ctx)
				sem.Acquire(ctx) // fails
			})
		}
		held.Wait()
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
		if n := log.Counted("no session") + log.Counted("not acquired"); failed == 0 || n != failed {
			t.Errorf("%d lines that it failed were written or counted, of %d", n, failed)
		}
		if n := log.Written("ended"); ended != semaphores || n > 50 || log.Counted("ended") != semaphores {
			t.Errorf("%d have ended; %d lines, %d with those left out", ended, n, log.Counted("ended"))
		}
	})
}
