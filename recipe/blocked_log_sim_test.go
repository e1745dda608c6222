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
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// blocked is a log handler whose writer is a full pipe that nobody reads until then.
type blocked struct{ until chan struct{} }

func (b blocked) Enabled(context.Context, slog.Level) bool  { return true }
func (b blocked) Handle(context.Context, slog.Record) error { <-b.until; return nil }
func (b blocked) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b blocked) WithGroup(string) slog.Handler             { return b }

// Many have lines of many kinds to say at the end, all of which are left out in part, and the logs
// of the client and of each recipe take none of them.
func TestCloseWaitsOnceForAllLogsThatBlock(t *testing.T) {
	const many = 60 // more than are written of a kind
	for name, own := range map[string]bool{"the client's": false, "the recipes' own": true} {
		t.Run(name, func(t *testing.T) {
			took := func(blocks bool) (d time.Duration) {
				stage.On(t, zktest.Config{}, func(s *stage.Stage) {
					until := make(chan struct{})
					defer close(until)
					log := slog.New(slog.DiscardHandler)
					if blocks {
						log = slog.New(blocked{until})
					}
					client := s.Open("a", session.Config{Logger: log})
					var recipes *slog.Logger
					if own {
						recipes = log
					}
					var led, all sync.WaitGroup
					led.Add(many)
					for i := range many {
						all.Go(func() {
							el := must(election.New(client, fmt.Sprintf("/e/%d", i), election.Config{Logger: recipes}))
							el.Run(context.Background(), func(ctx context.Context, _ *election.Term) error {
								led.Done()
								<-ctx.Done()
								return nil
							})
						})
						must(must(group.New(client, "/g", group.Config{Logger: recipes})).Join(s.Within(stage.Patience)))
					}
					led.Wait()
					begun := time.Now()
					client.Close()
					d = time.Since(begun)
					all.Wait()
				})
				return d
			}
			free, held := took(false), took(true)
			if held < time.Second || held-free > time.Second+100*time.Millisecond {
				t.Errorf("Close took %v, and %v with a log that takes all; want a second more", held, free)
			}
		})
	}
}

// The last lines of recipes with loggers of their own are there when Close has returned.
func TestCloseWaitsForTheLastLinesOfRecipesOwnLoggers(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		log := slowly{stage.NewVolume()}
		client := s.Client("a")
		must(must(group.New(client, "/g", group.Config{Logger: slog.New(log)})).Join(s.T.Context()))
		client.Close()
		if log.Written("membership over") != 1 {
			s.T.Errorf("after Close: %v", log)
		}
	})
}

// slowly is a slow log handler.
type slowly struct{ *stage.Volume }

func (l slowly) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l slowly) WithGroup(string) slog.Handler      { return l }
func (l slowly) Handle(ctx context.Context, r slog.Record) error {
	time.Sleep(100 * time.Millisecond)
	return l.Volume.Handle(ctx, r)
}

// What a recipe's own logger does not take is counted where that of the client's is.
func TestLinesThatARecipesOwnLoggerDoesNotTakeAreCounted(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		until := make(chan struct{})
		defer close(until)
		client := s.Client("a")
		l := must(lock.New(client, "/l", lock.Config{Logger: slog.New(blocked{until})}))
		for range 6 { // each time the first lines of a kind are let through
			for range 60 {
				stage.Must(s.T, must(l.Acquire(s.T.Context())).Release(s.T.Context()))
			}
			await.Sleep(10 * time.Second)
		}
		// Fifty of each of four kinds, and a line for each kind that tells of the rest. One is
		// being written, and 1000 wait.
		if n := client.Status().LinesDropped; n != 6*4*(50+1)-1001 {
			s.T.Errorf("%d lines were dropped", n)
		}
	})
}
