package group_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestADeadlineTellsWhatWasLacking(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		next := func(ctx context.Context) error { _, err := list.Next(ctx); return err }
		fresh := func(ctx context.Context) error { _, err := list.Fresh(ctx); return err }
		m := s.join("a", group.Config{ID: "a"})
		must(t, fresh(t.Context()))
		must(t, next(t.Context()))
		shared.DeadlineSays(t, next, dir+": no change: ")
		listing := func(ctx context.Context) error { _, err := m.Listing(ctx); return err }
		set := func(ctx context.Context) error { return m.Set(ctx, []byte("x")) }
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "watcher"}, zktest.DropReply)
		shared.DeadlineSays(t, fresh, dir+": no list that is new enough: ")
		s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node()}, zktest.DropReply)
		shared.DeadlineSays(t, set, m.Node()+": the data are not written yet: ")
		s.Host("a").Drop()
		await.Sleep(2 * stageT)
		shared.DeadlineSays(t, listing, m.Node()+": not listed: ", "no session with")
		leaving := s.join("c", group.Config{ID: "c"})
		s.Host("c").Drop()
		shared.DeadlineSays(t, leaving.Leave, leaving.Node()+": not deleted yet: ")
		s.Host("new").Drop()
		other := s.watch("new")
		shared.DeadlineSays(t, func(ctx context.Context) error { _, err := other.Next(ctx); return err }, dir+": the list is not read yet: ", "no session with")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := join(over, s.Client("b"), dir, group.Config{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), dir+": not listed") {
			t.Errorf("Join: %v", err)
		}
	})
}
