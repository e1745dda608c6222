package group_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// records are the lines of a member's log.
type records struct{ await.List[slog.Record] }

func (*records) Enabled(context.Context, slog.Level) bool { return true }
func (l *records) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *records) WithGroup(string) slog.Handler          { return l }
func (l *records) Handle(_ context.Context, r slog.Record) error {
	l.Add(r)
	return nil
}

// has reports whether there is a line of that level and message.
func (l *records) has(level slog.Level, message string) bool {
	return l.Count(func(r slog.Record) bool { return r.Level == level && r.Message == message }) > 0
}

// cures are codes that no retry cures, and what the error says of them.
var cures = map[zktest.Code]string{
	-6:   "ZooKeeper 3.4 or newer is needed",
	-8:   "use another path",
	-114: "use a scheme that the servers know",
	-115: "check Config.Auth and Config.SASL",
	-120: "set localSessionsUpgradingEnabled=true on the servers",
	-124: "enforce.auth.schemes and sessionRequireClientSASLAuth, and Config.SASL or Config.Auth",
}

// An answer that no retry can cure ends Join. The error says what can.
func TestJoinEndsWithACodeThatNoRetryCures(t *testing.T) {
	for code, cure := range cures {
		t.Run(fmt.Sprint(int32(code)), func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				var lines records
				must(t, s.Admin().EnsurePath(t.Context(), dir, nil))
				s.On(zktest.Match{Op: zktest.OpMulti, Path: dir + "/*", Host: "a"}, zktest.Fail(code))
				_, err := join(s.Within(patience), s.Client("a"), dir, group.Config{ID: "a", Logger: slog.New(&lines)})
				var permanent *recipe.PermanentError
				if !errors.As(err, &permanent) || permanent.Path != dir {
					t.Errorf("Join returned %v; want a PermanentError of %s", err, dir)
				}
				shared.Says(t, err, cure)
				if !lines.has(slog.LevelError, "cannot join") {
					t.Errorf("written: %v", lines.All())
				}
			})
		})
	}
}

// A member that has been listed once does not end for any such answer. It says so again and again,
// and is listed again when the cause is gone.
func TestAListedMemberGoesOnWhateverIsAnswered(t *testing.T) {
	for code, cure := range cures {
		t.Run(fmt.Sprint(int32(code)), func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				var lines records
				m := s.join("a", group.Config{ID: "a", Logger: slog.New(&lines)})
				failing := s.On(zktest.Match{Op: zktest.OpMulti, Path: dir + "/*", Host: "a"}, zktest.Fail(code))
				must(t, s.Admin().Delete(t.Context(), m.Node(), -1))
				await.Sleep(20 * stageT)
				if m.Context().Err() != nil || m.Status().Failed < 2 {
					t.Fatalf("it has failed %d times; over: %v", m.Status().Failed, context.Cause(m.Context()))
				}
				shared.Says(t, m.Status().Err, cure)
				failing.Remove()
				s.Eventually("listing", m.Valid)
				must(t, m.Leave(s.Within(patience)))
				if !lines.has(slog.LevelWarn, "not listed") || !lines.has(slog.LevelInfo, "membership over") {
					t.Errorf("written: %v", lines.All())
				}
			})
		})
	}
}
