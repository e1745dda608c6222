package recipe_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A jsonLog is a log in JSON that is read while it is written.
type jsonLog struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *jsonLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *jsonLog) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// of returns the lines that have an attribute.
func (l *jsonLog) of(t *testing.T, key string) (all []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range bytes.Lines(l.buf.Bytes()) {
		var line map[string]any
		stage.Must(t, json.Unmarshal(text, &line))
		if _, ok := line[key]; ok {
			all = append(all, line)
		}
	}
	return all
}

// logged uses each recipe that logs once, with recipes' own logger.
func logged(t *testing.T, client *session.Client, own *slog.Logger) {
	ctx := t.Context()
	term := must(must(election.New(client, "/e", election.Config{Logger: own})).Campaign(ctx))
	stage.Must(t, term.Release(ctx))
	stage.Must(t, must(must(lock.New(client, "/l", lock.Config{Logger: own})).Acquire(ctx)).Release(ctx))
	stage.Must(t, must(must(semaphore.New(client, "/s", 2, semaphore.Config{Logger: own, Slots: true})).Acquire(ctx)).Release(ctx))
	stage.Must(t, must(must(group.New(client, "/g", group.Config{Logger: own})).Join(ctx)).Leave(ctx))
	await.Sleep(time.Second)
}

var recipes = []string{"election", "lock", "semaphore", "group"}

func TestARecipeWithoutALoggerWritesToThatOfItsClient(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		var clients, own jsonLog
		client := s.Open("a", session.Config{Logger: clients.logger()})
		logged(s.T, client, nil)
		for _, recipe := range recipes {
			if len(clients.of(s.T, recipe)) == 0 {
				s.T.Errorf("no line of the %s in its client's log", recipe)
			}
		}
		before := len(clients.of(s.T, "msg"))
		logged(s.T, client, own.logger())
		logged(s.T, client, slog.New(slog.DiscardHandler))
		for _, recipe := range recipes {
			if len(own.of(s.T, recipe)) == 0 {
				s.T.Errorf("no line of the %s in its own log", recipe)
			}
		}
		if after := len(clients.of(s.T, "msg")); after != before {
			s.T.Errorf("%d lines of recipes with loggers of their own in their client's log", after-before)
		}
		logged(s.T, s.Open("b", session.Config{Context: client.Context()}), nil) // a client without one
		if after := len(clients.of(s.T, "msg")); after != before {
			s.T.Errorf("%d lines of another client's recipes", after-before)
		}
	})
}

func TestALineForTheLogHasAnErrorOnlyIfThereIsOne(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		var log jsonLog
		logged(s.T, s.Open("a", session.Config{Logger: log.logger()}), nil)
		for _, line := range log.of(s.T, "err") {
			if line["err"] == nil {
				s.T.Errorf("%v", line)
			}
		}
	})
}

func TestTheLogTellsTheTokenAndTheSlotOfAPermit(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		var log jsonLog
		logged(s.T, s.Open("a", session.Config{Logger: log.logger()}), nil)
		want := map[string][]string{"acquired": {"token", "slots"}, "ended": {"token"}}
		for _, line := range log.of(s.T, "semaphore") {
			for _, key := range want[line["msg"].(string)] {
				if line[key] == nil {
					s.T.Errorf("no %s in %v", key, line)
				}
			}
			delete(want, line["msg"].(string))
		}
		if len(want) > 0 {
			s.T.Errorf("no such line: %v", want)
		}
	})
}
