package group_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// ends demands that a call that cannot succeed, with a deadline, tells of all that.
func ends(t *testing.T, call func(context.Context) error, tells ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := call(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want that of the deadline", err)
	}
	for _, want := range tells {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to tell %q", err, want)
		}
	}
}

func TestADeadlineTellsWhatWasLacking(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		next := func(ctx context.Context) error { _, err := list.Next(ctx); return err }
		fresh := func(ctx context.Context) error { _, err := list.Fresh(ctx); return err }
		m := s.join("a", group.Config{ID: "a"})
		must(t, fresh(t.Context()))
		must(t, next(t.Context()))
		ends(t, next, dir+": no change: ")
		listing := func(ctx context.Context) error { _, err := m.Listing(ctx); return err }
		set := func(ctx context.Context) error { return m.Set(ctx, []byte("x")) }
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "watcher"}, zktest.DropReply)
		ends(t, fresh, dir+": no list that is new enough: ")
		s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node()}, zktest.DropReply)
		ends(t, set, m.Node()+": the data are not written yet: ")
		s.Host("a").Drop()
		time.Sleep(2 * stageT)
		ends(t, listing, m.Node()+": not listed: ", "no session with")
		leaving := s.join("c", group.Config{ID: "c"})
		s.Host("c").Drop()
		ends(t, leaving.Leave, leaving.Node()+": not deleted yet: ")
		s.Host("new").Drop()
		other := s.watch("new")
		ends(t, func(ctx context.Context) error { _, err := other.Next(ctx); return err }, dir+": the list is not read yet: ", "no session with")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := join(over, s.Client("b"), dir, group.Config{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), dir+": not listed") {
			t.Errorf("Join: %v", err)
		}
	})
}
