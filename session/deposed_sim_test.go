package session_test

import (
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The answer to a create is lost. The client connects to a server that was the leader. That server
// does not know of the znode, but it answers a sync.
func TestADeposedLeaderHidesNoProtectedZnode(t *testing.T) {
	for what, before := range map[string]func(b *bubble) error{
		"the first, with the heartbeat": func(*bubble) error { return nil },
		"another":                       func(b *bubble) error { return b.s.EnsureHeartbeat(b.Within(stage.Patience)) },
	} {
		t.Run(what, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				b := &bubble{Stage: s}
				detour, client := s.Detour("a", session.Config{})
				b.client, b.s = client, s.Session(client)
				must(s.T, b.s.EnsurePath(s.Within(stage.Patience), "/e", nil))
				must(s.T, b.s.EnsurePath(s.Within(stage.Patience), "/zkrecipe/beats", nil))
				must(s.T, before(b))
				lost := detour.Begin(client, zktest.OpMulti)
				created := make(chan string, 1)
				go func() {
					path, err := b.s.CreatePlace(b.Within(stage.Patience), "/e", "n-", nil, nil)
					if err != nil {
						s.T.Error(err)
					}
					created <- path
				}()
				<-lost
				s.Eventually("connection", func() bool {
					at := s.ConnOf(b.s.ID())
					return at != nil && at.Server() == detour.Deposed.ID()
				})
				await.Sleep(stage.Tick / 2) // enough for all that it would answer
				detour.End()
				path := <-created
				if all := paths(s.Below("/e")); !slices.Equal(all, []string{path}) {
					s.T.Errorf("created %s; there are %q", path, all)
				}
				if b.s.Err() != nil {
					s.T.Errorf("the session: %v", b.s.Err())
				}
			})
		})
	}
}

// paths returns the paths of znodes.
func paths(nodes []zktest.Node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.Path)
	}
	return all
}
