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
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A client that has no room for one more ephemeral znode says so, and goes on when there is room
// again.
func TestACandidateWaitsUntilItsSessionHasRoom(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		client := s.Open("a", session.Config{EphemeralBytes: 1000})
		at := s.Session(client)
		other := "/" + strings.Repeat("x", 900)
		_, err := at.Create(s.T.Context(), other, nil, zk.FlagEphemeral, nil)
		stage.Must(s.T, err)
		el, err := election.New(client, "/election", election.Config{})
		stage.Must(s.T, err)
		failed := make(chan error, 1)
		defer el.Subscribe(func(ev election.Event) {
			if ev.Kind == election.EventFailed {
				select {
				case failed <- ev.Err:
				default:
				}
			}
		})()
		term := stage.Begin(s, "a", func(ctx context.Context) (*election.Term, error) { return el.Campaign(ctx) })
		if err := <-failed; !errors.Is(err, session.ErrTooManyEphemerals) {
			s.T.Errorf("a session without room: %v", err)
		}
		stage.Must(s.T, at.Delete(s.T.Context(), other, -1))
		stage.Must(s.T, (<-term).Release(s.T.Context()))
	})
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

// Where a candidate cannot have room even in an empty session, it does not try for ever.
func TestACandidateThatNeverHasRoomIsRefused(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		client := s.Open("a", session.Config{EphemeralBytes: 150})
		el, err := election.New(client, "/"+strings.Repeat("x", 100), election.Config{})
		stage.Must(s.T, err)
		_, err = el.Campaign(s.Within(stage.Patience))
		var permanent *recipe.PermanentError
		if !errors.As(err, &permanent) || !errors.Is(err, session.ErrTooManyEphemerals) {
			s.T.Errorf("%v; want a PermanentError", err)
		}
		stage.Says(s.T, err, "these alone take ", "Config.EphemeralBytes")
	})
}
