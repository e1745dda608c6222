package recipe_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// lines are the lines of a log.
type lines struct{ await.List[string] }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	l.Add(text)
	return nil
}

// has reports whether a line begins with the text.
func (l *lines) has(text string) bool {
	return slices.ContainsFunc(l.All(), func(line string) bool { return strings.HasPrefix(line, text) })
}

// If a Release was forgotten, Close waits, and the log names what it waits for.
func TestAForgottenReleaseIsNamed(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		var log lines
		client := s.Open("a", session.Config{Logger: slog.New(&log)})
		ctx := s.Within(stage.Patience)
		must(must(lock.New(client, "/l", lock.Config{ID: "ann"})).Acquire(ctx))
		must(must(semaphore.New(client, "/s", 1, semaphore.Config{ID: "bob"})).Acquire(ctx))
		must(must(election.New(client, "/e", election.Config{ID: "eve"})).Campaign(ctx))
		client.Close()
		if !log.has("closing waits until all is released and all work has stopped recipes=3 for=election /e (eve); lock /l (ann); semaphore /s (bob)") {
			s.T.Errorf("the log says\n%s", strings.Join(log.All(), "\n"))
		}
	})
}
