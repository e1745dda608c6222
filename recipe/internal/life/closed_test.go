package life_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// What begins after the client was closed is cancelled from the start: Close does not wait for it.
func TestWhatBeginsAfterTheCloseIsOver(t *testing.T) {
	client, err := session.Open("127.0.0.1:1", session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	for range 1000 {
		l := life.Begin(context.Background(), client, "lock", "/l", "a")
		if err := context.Cause(l.Context()); !errors.Is(err, session.ErrClosed) {
			t.Fatalf("%v; want ErrClosed", err)
		}
		l.End()
		_, err := life.Await(context.Background(), l, func(ctx context.Context, _ *life.Failure) (int, error) {
			if ctx.Err() == nil {
				t.Error("the context of the wait has not ended")
			}
			return 0, ctx.Err()
		}, func(int, error) {})
		if !errors.Is(err, session.ErrClosed) {
			t.Fatalf("%v; want ErrClosed", err)
		}
	}
}

// A holder keeps Close waiting. Whatever is begun meanwhile sends no request: Close might return
// before the answer.
func TestWhatBeginsWhileTheClientIsClosedSendsNothing(t *testing.T) {
	var sent atomic.Int64
	cfg := zktest.Config{OnRequest: func(r zktest.Request) {
		if r.Host == "closed" && strings.HasPrefix(r.Path, "/late") {
			sent.Add(1)
		}
	}}
	stage.On(t, cfg, func(s *stage.Stage) {
		client := s.Client("closed")
		holds, err := lock.New(client, "/holds", lock.Config{})
		stage.Must(s.T, err)
		h, err := holds.Acquire(s.T.Context())
		stage.Must(s.T, err)
		mutex, err := lock.New(client, "/late/lock", lock.Config{})
		stage.Must(s.T, err)
		permits, err := semaphore.New(client, "/late/semaphore", 2, semaphore.Config{})
		stage.Must(s.T, err)
		leader, err := election.New(client, "/late/election", election.Config{})
		stage.Must(s.T, err)
		members, err := group.New(client, "/late/group", group.Config{ID: "late"})
		stage.Must(s.T, err)
		both, err := barrier.NewDouble(client, "/late/barrier", 2, barrier.Config{})
		stage.Must(s.T, err)
		for _, dir := range []string{"lock", "semaphore", "election", "group", "barrier"} {
			stage.Must(s.T, s.Admin().EnsurePath(s.T.Context(), "/late/"+dir, nil))
		}
		closed := make(chan struct{})
		go func() { client.Close(); close(closed) }()
		<-client.Context().Done()
		for what, begin := range map[string]func(context.Context) error{
			"lock":      func(ctx context.Context) error { _, err := mutex.Acquire(ctx); return err },
			"semaphore": func(ctx context.Context) error { _, err := permits.Acquire(ctx); return err },
			"election":  func(ctx context.Context) error { _, err := leader.Campaign(ctx); return err },
			"group":     func(ctx context.Context) error { _, err := members.Join(ctx); return err },
			"barrier":   func(ctx context.Context) error { _, err := both.Enter(ctx); return err },
		} {
			for range 100 {
				if err := begin(s.T.Context()); err == nil {
					s.T.Errorf("%s: no error", what)
				}
			}
			if n := sent.Swap(0); n > 0 {
				s.T.Errorf("%s: %d requests", what, n)
			}
		}
		stage.Must(s.T, h.Release(s.T.Context()))
		<-closed
	})
}
