package lock_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// endings keeps the levels of the lines that tell that a lock has ended.
type endings struct{ await.List[slog.Level] }

func (*endings) Enabled(context.Context, slog.Level) bool { return true }
func (e *endings) WithAttrs([]slog.Attr) slog.Handler     { return e }
func (e *endings) WithGroup(string) slog.Handler          { return e }
func (e *endings) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "ended" {
		e.Add(r.Level)
	}
	return nil
}

// Releases are many, and told at DEBUG. A loss has to be seen.
func TestALossIsToldAtInfo(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var log endings
		client := s.Client("a")
		l, err := lock.New(client, stagePath, lock.Config{ID: "a", Logger: slog.New(&log)})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
			h, err := l.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want == slog.LevelInfo {
				s.Session(client).Close()
				<-h.Context().Done()
			}
			h.Release(t.Context())
			s.Eventually("line", func() bool { return len(log.All()) == i+1 })
			if got := log.All()[i]; got != want {
				t.Errorf("%v; want %v", got, want)
			}
		}
	})
}
