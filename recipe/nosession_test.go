package recipe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// The errors of all recipes say in the same form that there is no session, also when that was
// reported before.
func TestWithoutASessionEveryRecipeSaysTheSame(t *testing.T) {
	client := stage.Open(t, "127.0.0.1:1", session.Config{Timeout: 500 * time.Millisecond})
	reported := make(chan error, 1000)
	semaphore := must(semaphore.New(client, "/s", 1, semaphore.Config{OnEvent: func(ev semaphore.Event) { reported <- ev.Err }}))
	for name, call := range map[string]call{
		"election": func(ctx context.Context) error {
			_, err := must(election.New(client, "/e", election.Config{})).Campaign(ctx)
			return err
		},
		"observer": func(ctx context.Context) error {
			_, err := must(election.New(client, "/o", election.Config{})).Observe().Next(ctx)
			return err
		},
		"lock": func(ctx context.Context) error {
			_, err := must(lock.New(client, "/l", lock.Config{})).Acquire(ctx)
			return err
		},
		"semaphore": func(ctx context.Context) error { _, err := semaphore.Acquire(ctx); return err },
		"group": func(ctx context.Context) error {
			_, err := must(group.New(client, "/g", group.Config{})).Join(ctx)
			return err
		},
		"barrier": func(ctx context.Context) error {
			_, err := must(barrier.NewDouble(client, "/b", 1, barrier.Config{})).Enter(ctx)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := call(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v; want that of the deadline", name, err)
		} else if text := err.Error(); !strings.Contains(text, "session: no session with 127.0.0.1:1 (") || !strings.HasSuffix(text, "): context deadline exceeded") {
			t.Errorf("%s: %s", name, text)
		}
	}
	stage.Says(t, <-reported, "session: no session with 127.0.0.1:1", ": not within 250ms")
}
