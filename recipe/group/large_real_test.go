package group_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// Servers drop the connection on a request that is longer than their jute.maxbuffer. Data that are
// too large are refused, and the earlier data stay.
func TestOnServersDataThatTheyDoNotTakeAreRefused(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, MaxSessionTimeout: time.Minute, JVM: []string{"-Djute.maxbuffer=65536"}})
	ctx, cancel := context.WithTimeout(t.Context(), realPatience)
	defer cancel()
	const path = "/group-large"
	client := openReal(t, e.ConnectString(), session.Config{Timeout: time.Minute})
	large := bytes.Repeat([]byte{'x'}, 100_000)
	_, err := join(ctx, client, path, group.Config{ID: "large", Data: large})
	var permanent *recipe.PermanentError
	if !errors.As(err, &permanent) || !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Join returned %v", err)
	}
	shared.Says(t, err, "jute.maxbuffer")

	m, err := join(ctx, client, path, group.Config{ID: "a", Data: []byte("small")})
	must(t, err)
	err = m.Set(ctx, large)
	if !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Set returned %v", err)
	}
	shared.Says(t, err, "jute.maxbuffer")
	s, err := client.Session(ctx)
	must(t, err)
	for _, want := range []string{"small", string(large[:60_000])} {
		if data, _, err := s.Get(ctx, m.Node()); err != nil || string(data) != want {
			t.Errorf("%d bytes are there, %v; want %d", len(data), err, len(want))
		}
		must(t, m.Set(ctx, large[:60_000]))
	}
}
