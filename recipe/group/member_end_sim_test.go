package group_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestNothingIsLeftOfAMemberThatLeaves(t *testing.T) {
	for name, disturb := range map[string]func(s *stage){
		"at rest":      func(s *stage) {},
		"reconnecting": func(s *stage) { s.Host("a").Cut() },
		"cut off": func(s *stage) {
			s.Host("a").Hold()
			time.AfterFunc(stageT/2, s.Host("a").Heal)
		},
		"the reply of the deletion is lost": func(s *stage) {
			s.On(zktest.Match{Op: zktest.OpDelete, Host: "a", Nth: 1}, zktest.LoseReply)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				m := s.join("a", group.Config{ID: "a"})
				disturb(s)
				must(t, m.Leave(s.Within(patience)))
				if n := len(s.listed()); n != 0 {
					t.Errorf("%d znodes", n)
				}
				await.Sleep(5 * stageT)
				if n := len(s.listed()); n != 0 {
					t.Errorf("%d znodes came back", n)
				}
			})
		})
	}
}

// Close or the end of Join's context, at any moment of joining.
func TestNothingIsLeftOfAJoinThatIsGivenUp(t *testing.T) {
	for after := time.Duration(0); after < 40*time.Millisecond; after += time.Millisecond {
		for _, closing := range []bool{false, true} {
			onStage(t, 1, func(t *testing.T, s *stage) {
				c := s.Client("a")
				ctx, cancel := context.WithCancel(t.Context())
				joined := make(chan *group.Member, 1)
				go func() {
					m, _ := join(ctx, c, dir, group.Config{ID: "a"})
					joined <- m
				}()
				await.Sleep(after)
				if closing {
					c.Close()
				}
				cancel()
				if m := <-joined; m != nil && !closing {
					must(t, m.Leave(s.Within(patience)))
				}
				await.Sleep(3 * stageT)
				if n := len(s.listed()); n != 0 {
					t.Fatalf("after %v, closing %v: %d znodes", after, closing, n)
				}
			})
		}
	}
}

func TestTheClosingOfTheClientEndsTheMembership(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.Client("a")
		m, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		must(t, c.Close())
		if !errors.Is(context.Cause(m.Context()), recipe.ReasonClosed) || m.Valid() || len(s.listed()) != 0 {
			t.Errorf("%v; %d listed", context.Cause(m.Context()), len(s.listed()))
		}
		if err := m.Set(t.Context(), nil); !errors.Is(err, recipe.ReasonClosed) {
			t.Errorf("Set: %v", err)
		}
		if _, err := join(t.Context(), c, dir, group.Config{}); !errors.Is(err, session.ErrClosed) || strings.Contains(err.Error(), "held") {
			t.Errorf("Join: %v; want it to tell that the client is closed", err)
		}
	})
}

func TestAClosingClientDoesNotWaitForServersThatDoNotAnswer(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.Config.Timeout = 20 * stageTick
		c := s.Client("a")
		_, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("a").Hold()
		await.Sleep(time.Second)
		begun := time.Now()
		must(t, c.Close())
		if took := time.Since(begun); took > 10*stageTick {
			t.Errorf("closing took %v", took)
		}
	})
}

// The closing of the client does not wait for a network that is gone. Nobody has given Leave a
// deadline.
func TestLeaveAfterTheClientWasClosedCutOffSaysThatItWasClosed(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.Client("a")
		m, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("a").Hold()
		c.Close()
		for range 2 {
			err := m.Leave(t.Context())
			if !errors.Is(err, session.ErrClosed) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Leave: %v; want ErrClosed", err)
			}
		}
	})
}
