package group_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// A stage is three simulated servers in the time of a bubble, with one group.
type stage struct{ *shared.Stage }

const (
	dir       = "/workers"
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
	patience  = shared.Patience
)

var must = shared.Must

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, zktest.Config{Seed: seed}, func(x *shared.Stage) { f(x.T, &stage{x}) })
}

// history lists what was committed about znodes of the group.
func (s *stage) history() (all []zktest.Change) {
	for _, c := range s.Commits.All() {
		for _, ch := range c.Changes {
			if strings.HasPrefix(ch.Path, dir+"/") && ch.Op != zktest.OpCheck {
				all = append(all, ch)
			}
		}
	}
	return all
}

// least returns the smallest number of znodes that the group had after any commit, since it first
// had as many as it has now.
func (s *stage) least(full int) int {
	there, least, reached := map[string]bool{}, full, false
	for _, c := range s.Commits.All() {
		for _, ch := range c.Changes {
			switch {
			case !strings.HasPrefix(ch.Path, dir+"/"):
			case ch.Op == zktest.OpCreate:
				there[ch.Path] = true
			case ch.Op == zktest.OpDelete:
				delete(there, ch.Path)
			}
		}
		reached = reached || len(there) == full
		if reached {
			least = min(least, len(there))
		}
	}
	return least
}

// join makes a member on a host of that name, by all servers or those that are named.
func (s *stage) join(host string, cfg group.Config, servers ...string) *group.Member {
	s.T.Helper()
	m, err := join(s.Within(patience), s.Client(host, servers...), dir, cfg)
	must(s.T, err)
	return m
}

// join makes a member of the group at path.
func join(ctx context.Context, c *session.Client, path string, cfg group.Config) (*group.Member, error) {
	g, err := group.New(c, path, cfg)
	if err != nil {
		return nil, err
	}
	return g.Join(ctx)
}

// watch follows the group at path.
func watch(c *session.Client, path string, cfg group.Config) (*group.Members, error) {
	g, err := group.New(c, path, cfg)
	if err != nil {
		return nil, err
	}
	return g.Watch(), nil
}

// watch follows the group from a host of that name.
func (s *stage) watch(host string, servers ...string) *group.Members {
	s.T.Helper()
	m, err := watch(s.Client(host, servers...), dir, group.Config{})
	must(s.T, err)
	s.T.Cleanup(m.Close)
	return m
}

// listed lists the znodes of the group as the ensemble has them.
func (s *stage) listed() []zktest.Node { return s.Below(dir) }

// ids lists the IDs of a snapshot, sorted.
func ids(s group.Snapshot) string {
	var all []string
	for _, e := range s.Members {
		all = append(all, e.ID)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// awaitIDs waits until a snapshot shows these IDs.
func awaitIDs(t *testing.T, m *group.Members, want string) group.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := "nothing"
	for {
		s, err := m.Next(ctx)
		if err != nil {
			t.Fatalf("last seen %q, want %q: %v", last, want, err)
		}
		if last = ids(s); last == want {
			return s
		}
	}
}
