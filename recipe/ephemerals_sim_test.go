package recipe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// roomy are the recipes that create ephemeral znodes. use gets what the recipe has at path, and
// gives it back. It tells failed of a failure after which it tries again.
var roomy = map[string]struct {
	waits bool // until there is room
	use   func(ctx context.Context, client *session.Client, path string, failed func(error)) error
}{
	"election": {true, func(ctx context.Context, client *session.Client, path string, failed func(error)) error {
		term, err := must(election.New(client, path, election.Config{OnEvent: func(ev election.Event) {
			if ev.Kind == election.EventFailed {
				failed(ev.Err)
			}
		}})).Campaign(ctx)
		if err != nil {
			return err
		}
		return term.Release(ctx)
	}},
	"lock": {true, func(ctx context.Context, client *session.Client, path string, failed func(error)) error {
		held, err := must(lock.New(client, path, lock.Config{OnEvent: func(ev lock.Event) {
			if ev.Kind == lock.EventFailed {
				failed(ev.Err)
			}
		}})).Acquire(ctx)
		if err != nil {
			return err
		}
		return held.Release(ctx)
	}},
	"semaphore": {true, func(ctx context.Context, client *session.Client, path string, failed func(error)) error {
		permit, err := must(semaphore.New(client, path, 1, semaphore.Config{OnEvent: func(ev semaphore.Event) {
			if ev.Kind == semaphore.EventFailed {
				failed(ev.Err)
			}
		}})).Acquire(ctx)
		if err != nil {
			return err
		}
		return permit.Release(ctx)
	}},
	"group": {true, func(ctx context.Context, client *session.Client, path string, failed func(error)) error {
		m, err := must(group.New(client, path, group.Config{ID: strings.Repeat("i", 60), OnEvent: func(ev group.Event) {
			if ev.Kind == group.EventFailed {
				failed(ev.Err)
			}
		}})).Join(ctx)
		if err != nil {
			return err
		}
		return m.Leave(ctx)
	}},
	"value": {false, func(ctx context.Context, client *session.Client, path string, _ func(error)) error {
		v := must(value.NewCounter(client, path, value.CounterConfig{Config: value.Config{Journals: path + "/j"}}))
		_, err := v.Add(ctx, 1)
		return errors.Join(err, v.Close(ctx))
	}},
	"double barrier": {false, func(ctx context.Context, client *session.Client, path string, _ func(error)) error {
		round, err := must(barrier.NewDouble(client, path, 1, barrier.Config{})).Enter(ctx)
		if err != nil {
			return err
		}
		return round.Leave(ctx)
	}},
}

// A client that has no room for one more ephemeral znode says so. Who waits for a place goes on
// when there is room again. A change of a value and the entry into a barrier fail, and may be tried
// again.
func TestWhoNeedsAnEphemeralZnodeSaysThatTheSessionHasNoRoom(t *testing.T) {
	for name, r := range roomy {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				client := s.Open("a", session.Config{EphemeralBytes: 1000})
				at := s.Session(client)
				other := "/" + strings.Repeat("x", 950)
				_, err := at.Create(s.T.Context(), other, nil, zk.FlagEphemeral, nil)
				stage.Must(s.T, err)
				failed, done := make(chan error, 1000), make(chan error, 1)
				use := func() {
					done <- r.use(s.Within(stage.Patience), client, "/"+name, func(err error) { failed <- err })
				}
				go use()
				if !r.waits {
					failed = done
				}
				var permanent *recipe.PermanentError
				if err := <-failed; !errors.Is(err, session.ErrTooManyEphemerals) || errors.As(err, &permanent) {
					s.T.Errorf("a session without room: %v", err)
				}
				stage.Must(s.T, at.Delete(s.T.Context(), other, -1))
				if !r.waits {
					go use()
				}
				stage.Must(s.T, <-done)
			})
		})
	}
}

// Releases whose answers are lost leave no znode behind, and use up no room.
func TestLostAnswersToReleasesUseUpNoRoom(t *testing.T) {
	stage.On(t, zktest.Config{Servers: 1}, func(s *stage.Stage) {
		client := s.Open("a", session.Config{EphemeralBytes: 500})
		l, err := lock.New(client, "/lock", lock.Config{})
		stage.Must(s.T, err)
		for range 20 {
			held, err := l.Acquire(s.Within(stage.Patience))
			stage.Must(s.T, err)
			lost := s.On(zktest.Match{Op: zktest.OpMulti, Path: "/lock", Nth: 1}, zktest.LoseReply)
			_ = held.Release(s.T.Context())
			lost.Remove()
			await.Sleep(time.Second) // until it is connected again
		}
	})
}

// Where there cannot be room even in an empty session, nobody tries for ever.
func TestWhoCanNeverHaveRoomIsRefused(t *testing.T) {
	for name, r := range roomy {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				client := s.Open("a", session.Config{EphemeralBytes: 150})
				err := r.use(s.Within(stage.Patience), client, "/"+strings.Repeat("x", 120), func(err error) { s.T.Errorf("tries again after %v", err) })
				var permanent *recipe.PermanentError
				if !errors.Is(err, session.ErrTooManyEphemerals) || !errors.As(err, &permanent) {
					s.T.Errorf("%v; want a PermanentError", err)
				}
				stage.Says(s.T, err, "these alone take ", "Config.EphemeralBytes")
			})
		})
	}
}
