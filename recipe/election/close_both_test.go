package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// After Close there is no znode, no connection and no goroutine of the client, whatever it was
// doing, and Run has told why it returned.
func TestCloseAtEveryStep(t *testing.T) {
	for name, reach := range map[string]func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()){
		"before a session": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			w.crash()
			return run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{}), nil
		},
		"in a silent handshake": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			w.Each(func(p *faultproxy.Proxy) { p.Silent(true) })
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{})
			await.Until(t, "connection", func() bool { return w.requests()[faultproxy.OpConnect] > 0 })
			return c, nil
		},
		"creating": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			return held(t, w, path, faultproxy.OpCreate)
		},
		"reading its own znode": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			return held(t, w, path, faultproxy.OpGetData)
		},
		"listing": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			return held(t, w, path, faultproxy.OpGetChildren2)
		},
		"renewing": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			return held(t, w, path, faultproxy.OpMulti)
		},
		"waiting": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			other := open(t, e, session.Config{})
			lineUp(t, path, other, other)
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "c", election.Config{})
			c.events.wait(election.EventJoined, 1)
			return c, nil
		},
		"heir": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			lineUp(t, path, open(t, e, session.Config{}))
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "b", election.Config{})
			c.events.wait(election.EventHeir, 1)
			return c, nil
		},
		"leading": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{})
			c.term()
			return c, nil
		},
		"leading, suspended": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{})
			c.term()
			w.crash()
			return c, nil
		},
		"draining": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			finish := make(chan struct{})
			c := runWith(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{},
				func(ctx context.Context, term *election.Term) error { <-finish; return nil })
			c.term().Resign()
			c.events.wait(election.EventDeposed, 1)
			return c, func() { close(finish) }
		},
		"draining too long": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			finish := make(chan struct{})
			c := runWith(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{DrainTimeout: 100 * time.Millisecond},
				func(ctx context.Context, term *election.Term) error { <-finish; return nil })
			c.term()
			return c, func() {
				defer close(finish)
				c.events.wait(election.EventLeft, 1) // the leadership is given away while the work goes on
			}
		},
		"backing off": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			c := runWith(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{},
				func(ctx context.Context, term *election.Term) error { return nil })
			c.events.wait(election.EventElected, 4)
			c.events.wait(election.EventLeft, 4)
			return c, nil
		},
		"staying out": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{
				Healthy: func(context.Context) error { return errors.New("no") }})
			return c, nil
		},
		"observing": func(t *testing.T, e shared.Servers, w *wire, path string) (*candidate, func()) {
			c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{FollowLeader: true})
			c.term()
			c.events.wait(election.EventLeaderChanged, 1)
			observe(t, c.client, path) // and never closed
			return c, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				path := pathFor(t)
				w := wireTo(t, e)
				c, then := reach(t, e, w, path)
				before := time.Now()
				id := c.client.Status().Session
				closed := make(chan struct{})
				go func() { c.client.Close(); close(closed) }()
				if then != nil {
					then()
				}
				select {
				case <-closed:
				case <-time.After(patience):
					t.Fatal("Close hangs")
				}
				t.Logf("Close took %v", time.Since(before).Round(time.Millisecond))
				<-c.done
				if !errors.Is(c.err, session.ErrClosed) {
					t.Errorf("Run returned %v", c.err)
				}
				if st := c.Status(); st.State != election.StateIdle || st.Node != "" || st.Token != 0 {
					t.Errorf("status %+v", st)
				}
				w.silence()
				c.inOrder()
				// What was suspended goes with its session.
				await.Until(t, "empty line", func() bool { return len(ownedBy(t, e, path, id)) == 0 })
				if ev := last(c.events, election.EventDeposed); ev != nil && ev.Reason != recipe.ReasonClosed &&
					ev.Reason != recipe.ReasonReleased && ev.Reason != recipe.ReasonReturned && ev.Reason != recipe.ReasonLeaseExpired {
					t.Errorf("deposed: %v", ev.Reason)
				}
				c.client.Close() // again
			})
		})
	}
}

// held starts a candidate and holds the reply to its first request of a kind.
func held(t *testing.T, w *wire, path string, op faultproxy.Op) (*candidate, func()) {
	f := w.on(faultproxy.HoldReply, is(op))
	c := run(t, open(t, w, session.Config{Timeout: T}), path, "a", election.Config{})
	f.wait()
	return c, f.release
}

func last(e *events, kind election.EventKind) (found *election.Event) {
	for _, ev := range e.All() {
		if ev.Kind == kind {
			found = &ev
		}
	}
	return found
}

// ownedBy lists the znodes of a session in an election.
func ownedBy(t *testing.T, e shared.Servers, path string, id int64) (nodes []string) {
	t.Helper()
	s := mustSession(t, admins(t, e))
	if _, err := s.QuorumSync(within(t), "/"); err != nil {
		t.Fatal(err)
	}
	names, _, err := s.Children(within(t), path)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if stat, ok, _ := s.Exists(within(t), path+"/"+name); ok && stat.EphemeralOwner == id {
			nodes = append(nodes, name)
		}
	}
	return nodes
}
