package group_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A process is killed and starts again within its session timeout. Its former znode, which is going
// to vanish, must not be taken for the new one.
func TestAMemberThatStartsAgainTakesOverWithoutAGap(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		for _, srv := range s.Servers() {
			srv.DelayExpiry(30 * time.Second)
		}
		s.join("a", group.Config{ID: "a", Data: []byte("old")})
		s.Host("a").Drop()
		await.Sleep(stageT / 2)
		again := s.join("a2", group.Config{ID: "a", Data: []byte("new")})
		await.Sleep(time.Minute)
		nodes := s.listed()
		if len(nodes) != 1 || string(nodes[0].Data) != "new" || !again.Valid() || s.least(1) != 1 {
			t.Errorf("%d znodes, valid %v, at times %d listed", len(nodes), again.Valid(), s.least(1))
		}
		if l, err := again.Listing(t.Context()); err != nil || l.Token() != nodes[0].Stat.Czxid {
			t.Errorf("%v, %v", l, err)
		}
	})
}

func TestALaterTwinReplacesTheEarlierOneOnceAndItIsTold(t *testing.T) {
	for name, play := range map[string]func(s *stage, old *group.Member){
		"connected": func(s *stage, old *group.Member) {},
		"cut for a while": func(s *stage, old *group.Member) {
			s.Host("old").Hold()
			time.AfterFunc(stageT/2, s.Host("old").Heal)
		},
		"its session is lost": func(s *stage, old *group.Member) {
			s.Host("old").Hold()
			time.AfterFunc(5*stageT, s.Host("old").Heal)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				old := s.join("old", group.Config{ID: "a"})
				play(s, old)
				l, err := old.Listing(t.Context())
				must(t, err)
				twin := s.join("twin", group.Config{ID: "a"})
				await.Sleep(20 * stageT)
				cause := context.Cause(old.Context())
				if !errors.Is(cause, group.ErrReplaced) || !errors.Is(cause, recipe.ReasonNodeDeleted) || old.Valid() || l.Valid() {
					t.Errorf("the earlier: %v, valid %v", cause, old.Valid())
				}
				if twin.Context().Err() != nil || !twin.Valid() {
					t.Errorf("the later: %v", context.Cause(twin.Context()))
				}
				creates := 0
				for _, ch := range s.history() {
					if ch.Op == zktest.OpCreate {
						creates++
					}
				}
				if creates != 2 || len(s.listed()) != 1 || s.least(1) != 1 {
					t.Errorf("%d creates, %d znodes, at times %d", creates, len(s.listed()), s.least(1))
				}
				must(t, old.Leave(t.Context())) // which must not touch the twin's
				if len(s.listed()) != 1 {
					t.Error("the earlier one has deleted the znode of the later")
				}
			})
		})
	}
}

func TestTwinsOfOneClientAreTwins(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.Client("a")
		old, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		twin, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		await.Sleep(10 * stageT)
		if !errors.Is(context.Cause(old.Context()), group.ErrReplaced) || !twin.Valid() || len(s.listed()) != 1 {
			t.Errorf("%v; the later valid: %v", context.Cause(old.Context()), twin.Valid())
		}
	})
}

// An old process leaves while its successor of the same ID joins: its deletion comes late.
func TestWhoLeavesDoesNotTakeItsSuccessorAway(t *testing.T) {
	for generation := range 3 {
		onStage(t, 1, func(t *testing.T, s *stage) {
			for i := range generation {
				s.join(fmt.Sprint("before", i), group.Config{ID: "a"})
			}
			old := s.join("old", group.Config{ID: "a", Data: []byte("old")})
			s.Trap.Next("old", zktest.OpExists, old.Node(), func() { s.Host("old").Delay(time.Second, zktest.ToServer) })
			go old.Leave(context.Background())
			await.Sleep(100 * time.Millisecond)
			next := s.join("next", group.Config{ID: "a", Data: []byte("new")})
			l, err := next.Listing(t.Context())
			must(t, err)
			await.Sleep(stageT)
			if nodes := s.listed(); len(nodes) != 1 || nodes[0].Stat.Czxid != l.Token() || !l.Valid() {
				t.Errorf("%+v; the listing: %v", nodes, context.Cause(l.Context()))
			}
		})
	}
}

// The server of an old process lags, so that the process does not know of its successor. What it
// asks for before it knows must not reach the successor's znode, whatever that has written since.
func TestWhatAFormerMemberAsksForDoesNotReachItsSuccessor(t *testing.T) {
	for name, late := range map[string]func(old *group.Member) error{
		"leave": func(old *group.Member) error { return old.Leave(context.Background()) },
		"write": func(old *group.Member) error { return old.Set(context.Background(), []byte("late")) },
	} {
		for i := range 3 * 2 * 4 {
			before, between, writes := i%3, i/3%2, i/6
			t.Run(fmt.Sprintf("%s: %d before it, %d between, %d writes", name, before, between, writes), func(t *testing.T) {
				onStage(t, 1, func(t *testing.T, s *stage) { asksLate(t, s, before, between, writes, late) })
			})
		}
	}
}

func asksLate(t *testing.T, s *stage, before, between, writes int, late func(*group.Member) error) {
	lagging, leader := s.Followers()[0], s.Leader().Addr()
	for i := range before {
		s.join(fmt.Sprint("before", i), group.Config{ID: "a"}, leader)
	}
	old := s.join("old", group.Config{ID: "a", Data: []byte("old")}, lagging.Addr())
	await.Sleep(stageTick / 4) // nothing of the join is on its way any more
	lagging.Isolate()
	for i := range between {
		s.join(fmt.Sprint("between", i), group.Config{ID: "a"}, leader)
	}
	next := s.join("next", group.Config{ID: "a", Data: []byte("new")}, leader)
	l, err := next.Listing(t.Context())
	must(t, err)
	for i := range writes {
		must(t, next.Set(t.Context(), fmt.Append(nil, "new", i)))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		late(old)
	}()
	await.Sleep(stageTick / 8)
	lagging.Rejoin()
	<-done
	await.Sleep(stageT)
	if nodes := s.listed(); len(nodes) != 1 || nodes[0].Stat.Czxid != l.Token() || !l.Valid() {
		t.Errorf("%+v; the listing: %v", nodes, context.Cause(l.Context()))
	}
	for _, ch := range s.history() {
		if string(ch.Data) == "late" {
			t.Error("the data of the old process are in the znode of its successor")
		}
	}
}

// After many writes a successor's znode begins with few versions again. Nothing but time is lost by
// that.
func TestAMemberThatHasWrittenOftenIsReplaced(t *testing.T) {
	for _, writes := range []int{98, 99, 250} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			old := s.join("old", group.Config{ID: "a"})
			for i := range writes {
				must(t, old.Set(t.Context(), fmt.Append(nil, i)))
			}
			next := s.join("next", group.Config{ID: "a", Data: []byte("new")})
			<-old.Context().Done()
			nodes := s.listed()
			if len(nodes) != 1 || string(nodes[0].Data) != "new" || !next.Valid() {
				t.Errorf("%d writes: %+v, valid: %v", writes, nodes, next.Valid())
			}
			must(t, next.Set(t.Context(), []byte("newer")))
		})
	}
}

// What has replaced a member is gone before the member hears of it. Then its path is free, and it
// is listed again.
func TestAMemberWhoseSuccessorHasLeftIsListedAgain(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		old := s.join("old", group.Config{ID: "a"})
		s.Host("old").Hold(zktest.ToClient)
		must(t, s.join("next", group.Config{ID: "a"}).Leave(t.Context()))
		s.Host("old").Heal()
		s.Eventually("listing", func() bool { return len(s.listed()) == 1 && old.Valid() })
		if err := old.Context().Err(); err != nil {
			t.Errorf("it is over: %v", context.Cause(old.Context()))
		}
	})
}
