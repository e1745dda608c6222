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
	for what, create := range map[zktest.Op]func(b *bubble) (string, error){
		zktest.OpCreate: func(b *bubble) (string, error) {
			return b.s.CreateProtected(b.Within(stage.Patience), "/e", "n-", nil, nil)
		},
		zktest.OpMulti: func(b *bubble) (string, error) { // with the heartbeat
			return b.s.CreatePlace(b.Within(stage.Patience), "/e", "n-", nil, nil)
		},
	} {
		t.Run(what.String(), func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				b := &bubble{Stage: s}
				detour, client := s.Detour("a", session.Config{})
				b.client, b.s = client, s.Session(client)
				must(s.T, b.s.EnsurePath(s.Within(stage.Patience), "/e", nil))
				must(s.T, b.s.EnsurePath(s.Within(stage.Patience), "/zkrecipe/beats", nil))
				lost := detour.Begin(client, what)
				created := make(chan string, 1)
				go func() {
					path, err := create(b)
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
