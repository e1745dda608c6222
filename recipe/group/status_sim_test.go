package group_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheStatusOfAMemberTellsOfItsListings(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		synctest.Wait() // until the event of this listing is sent
		var kinds []group.EventKind
		defer m.Subscribe(func(ev group.Event) { kinds = append(kinds, ev.Kind) })()
		first := m.Status()
		if !first.Listed || first.Path != dir || first.ID != "a" || first.Node != m.Node() || first.Token == 0 || first.LeaseRemaining <= 0 || first.Listings != 1 || first.Znodes != 1 {
			t.Errorf("%+v", first)
		}
		must(t, s.Admin().Delete(t.Context(), m.Node(), -1))
		s.Eventually("another listing", func() bool { return m.Status().Listings == 2 })
		second := m.Status()
		if second.Znodes != 2 || second.Token <= first.Token || second.Ended[recipe.ReasonNodeDeleted] != 1 || second.LastReason != recipe.ReasonNodeDeleted || second.Over != nil {
			t.Errorf("%+v", second)
		}
		must(t, m.Leave(t.Context()))
		synctest.Wait()
		last := m.Status()
		if last.Listed || last.LeaseRemaining != 0 || !errors.Is(last.Over, recipe.ReasonReleased) || last.Ended[recipe.ReasonReleased] != 1 {
			t.Errorf("%+v", last)
		}
		if len(kinds) != 4 || kinds[0] != group.EventUnlisted || kinds[1] != group.EventListed || kinds[3] != group.EventOver {
			t.Errorf("a subscriber was told of %v", kinds)
		}
	})
}

func TestTheStatusOfMembersCountsThoseWhoComeAndGo(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		a := s.join("a", group.Config{ID: "a"})
		awaitIDs(t, list, "a")
		b := s.join("b", group.Config{ID: "b"})
		awaitIDs(t, list, "a b")
		must(t, a.Leave(t.Context()))
		awaitIDs(t, list, "b")
		st := list.Status()
		if !st.Known || !st.Proved || st.Members != 1 || st.Left != 1 || st.Joined < 1 || st.Over != nil || st.Path != dir {
			t.Errorf("%+v", st)
		}
		await.Sleep(time.Minute)
		if age := list.Status().Age; age > 2*stageD {
			t.Errorf("its age is %v, although it is proved all the time", age)
		}
		s.Host("watcher").Hold()
		await.Sleep(time.Minute)
		if age := list.Status().Age; age < time.Minute {
			t.Errorf("its age is %v after a minute without a network", age)
		}
		s.Host("watcher").Heal()
		must(t, b.Leave(t.Context()))
		list.Close()
		if st := list.Status(); !errors.Is(st.Over, session.ErrClosed) {
			t.Errorf("after Close: %v", st.Over)
		}
	})
}

func TestASubscriberThatBlocksHoldsUpNeitherBeatsNorTheDeparture(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		client := s.Client("a")
		m, err := join(s.Within(patience), client, dir, group.Config{ID: "a"})
		must(t, err)
		never := make(chan struct{})
		defer close(never)
		defer m.Subscribe(func(group.Event) { <-never })()
		admin := s.Admin()
		for range 600 {
			before := m.Status().Listings
			must(t, admin.Delete(t.Context(), m.Node(), -1))
			s.Eventually("another listing", func() bool { return m.Status().Listings > before })
		}
		if st := m.Status(); st.EventsDropped == 0 {
			t.Errorf("no event was dropped: %+v", st)
		}
		await.Sleep(time.Minute)
		if !m.Valid() {
			t.Error("it is not listed")
		}
		must(t, m.Leave(t.Context()))
		client.Close()
	})
}
