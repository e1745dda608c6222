package life_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
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
