package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestCloseDeletesTheEphemeralsAtOnceEvenAfterACut(t *testing.T) {
	for name, cut := range map[string]bool{"connected": false, "after a cut": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, c *cluster) {
				client := c.open(session.Config{Timeout: steady})
				s := established(t, client)
				path, err := s.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
				must(t, err)
				admin := c.admin()
				_, _, gone, err := admin.GetW(c.chroot + path)
				must(t, err)
				if cut {
					c.at(client).Cut(false)
					c.log.await(0, "session suspended")
				}
				client.Close()
				select {
				case <-gone:
				case <-time.After(s.Timeout() * 3 / 4): // its session cannot have expired
					t.Error("the znode outlives Close")
				}
			})
		})
	}
}

func TestTheEndOfTheContextClosesTheClient(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		ctx, cancel := context.WithCancelCause(t.Context())
		client := c.open(session.Config{Timeout: steady, Context: ctx})
		s := established(t, client)
		done := client.KeepOpen("a test")
		why := errors.New("shutting down")
		cancel(why)
		<-client.Context().Done()
		if err := context.Cause(client.Context()); !errors.Is(err, why) {
			t.Errorf("cause = %v", err)
		}
		// A recipe still needs the session, to clean up.
		path, err := s.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
		must(t, err)
		must(t, s.EnsureDeleted(within(t, hang), path))
		done()
		if err := over(t, s); !errors.Is(err, session.ErrClosed) {
			t.Errorf("the session ended with %v", err)
		}
		client.Close()
	})
}

func TestASessionThatIsClosedIsFollowedByAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := established(t, client)
		s.Close()
		next := established(t, client)
		if next == s || next.ID() == s.ID() {
			t.Error("the same session again")
		}
		if err := s.Sync(t.Context(), "/"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("a call on the closed session: %v", err)
		}
	})
}
