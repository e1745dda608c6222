package group_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// late opens a client whose requests can be made to come late, with its heartbeat and the group's
// path.
func (s *stage) late() *late {
	s.T.Helper()
	l := &late{Late: s.Late("a", session.Config{})}
	must(s.T, s.Session(l.Client).EnsureHeartbeat(s.Within(patience)))
	must(s.T, s.Session(l.Client).EnsurePath(s.Within(patience), dir, nil))
	return l
}

type late struct {
	*shared.Late
	read <-chan struct{}
}

// next makes the client's next request of that operation about a member come late.
func (l *late) next(op zktest.Op) { l.read = l.Hold(zktest.Match{Op: op, Path: dir + "/*"}) }

// lose waits for the request, and cuts the connection. The client reaches no server for now.
func (l *late) lose() {
	<-l.read
	l.Cut()
}

// withAndWithoutLease runs a test with members of both kinds. A lease makes the session beat.
func withAndWithoutLease(t *testing.T, test func(t *testing.T, s *stage, cfg group.Config)) {
	for _, noLease := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoLease=%v", noLease), func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) { test(t, s, group.Config{ID: "a", NoLease: noLease}) })
		})
	}
}

func TestALateCreateListsNobodyAfterLeave(t *testing.T) {
	withAndWithoutLease(t, func(t *testing.T, s *stage, cfg group.Config) {
		l := s.late()
		l.next(zktest.OpMulti)
		go func() { l.lose(); l.Move() }()
		m, err := join(s.Within(patience), l.Client, dir, cfg)
		must(t, err)
		must(t, m.Leave(s.Within(patience)))
		l.Back()
		l.Happen()
		if n := len(s.listed()); n != 0 {
			t.Errorf("after Leave: %d znodes", n)
		}
	})
}

func TestALateCreateListsNobodyAfterAFailedJoin(t *testing.T) {
	withAndWithoutLease(t, func(t *testing.T, s *stage, cfg group.Config) {
		l := s.late()
		l.next(zktest.OpMulti)
		ctx, cancel := context.WithCancel(s.Within(patience))
		go func() { l.lose(); cancel() }()
		over := make(chan struct{})
		cfg.OnEvent = func(e group.Event) {
			if e.Kind == group.EventOver {
				close(over)
			}
		}
		_, err := join(ctx, l.Client, dir, cfg)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Join: %v", err)
		}
		l.Move()
		<-over
		l.Back()
		l.Happen()
		if n := len(s.listed()); n != 0 {
			t.Errorf("after a failed Join: %d znodes", n)
		}
	})
}

// Somebody deletes the znode. The late create must not be taken for that of another member.
func TestALateCreateDoesNotEndTheMembership(t *testing.T) {
	withAndWithoutLease(t, func(t *testing.T, s *stage, cfg group.Config) {
		l := s.late()
		l.next(zktest.OpMulti)
		go func() { l.lose(); l.Move() }()
		m, err := join(s.Within(patience), l.Client, dir, cfg)
		must(t, err)
		l.Back()
		must(t, s.Admin().Delete(t.Context(), m.Node(), -1))
		l.Happen()
		s.Eventually("listing", func() bool { return m.Status().Listings == 2 || m.Context().Err() != nil })
		if err := context.Cause(m.Context()); err != nil {
			t.Fatalf("the membership is over: %v", err)
		}
		must(t, m.Leave(s.Within(patience)))
		if n := len(s.listed()); n != 0 {
			t.Errorf("after Leave: %d znodes", n)
		}
	})
}

// Two creates of large data cost a connection each. After them the member begins anew in the same
// session. The second of them comes late.
func TestALateCreateOfLargeDataDoesNotEndTheMembership(t *testing.T) {
	withAndWithoutLease(t, func(t *testing.T, s *stage, cfg group.Config) {
		l := s.late()
		cfg.Data = make([]byte, 10<<10)
		m, err := join(s.Within(patience), l.Client, dir, cfg)
		must(t, err)
		s.On(zktest.Match{Op: zktest.OpMulti, Path: m.Node(), Host: "a", Nth: 1}, zktest.LoseRequest)
		l.next(zktest.OpMulti)
		must(t, s.Admin().Delete(t.Context(), m.Node(), -1))
		l.lose()
		l.Move()
		s.Eventually("listing", func() bool { return m.Status().Listings == 2 })
		if m.Status().Failed == 0 {
			t.Error("it has not begun anew")
		}
		l.Back()
		must(t, s.Admin().Delete(t.Context(), m.Node(), -1))
		l.Happen()
		s.Eventually("listing", func() bool { return m.Status().Listings == 3 || m.Context().Err() != nil })
		if err := context.Cause(m.Context()); err != nil {
			t.Errorf("the membership is over: %v", err)
		}
	})
}

// A deletion that comes late may delete the znode of a new member, which is listed again then.
func TestAMemberIsListedAgainAfterALateDeletionOfAFormerOne(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		l := s.late()
		l.next(zktest.OpDelete)
		former, err := join(s.Within(patience), l.Client, dir, group.Config{ID: "a"})
		must(t, err)
		go func() { l.lose(); l.Move() }()
		must(t, former.Leave(s.Within(patience)))
		m := s.join("b", group.Config{ID: "a"})
		l.Back()
		l.Happen()
		s.Eventually("listing", func() bool { return m.Status().Listings == 2 && m.Valid() })
		if n := len(s.listed()); n != 1 {
			t.Errorf("%d znodes", n)
		}
	})
}

// The member's data are to be as they were before the write that comes late.
func TestALateWriteDoesNotReplaceNewerData(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		l := s.late()
		l.next(zktest.OpSetData)
		m, err := join(s.Within(patience), l.Client, dir, group.Config{ID: "a", Data: []byte("old")})
		must(t, err)
		go m.Set(s.Within(patience), []byte("late"))
		l.lose()
		set := make(chan error, 1)
		go func() { set <- m.Set(s.Within(patience), []byte("old")) }()
		synctest.Wait()
		l.Move()
		must(t, <-set)
		l.Back()
		l.Happen()
		for _, ch := range s.history() {
			if string(ch.Data) == "late" {
				t.Error("the late data have replaced the newer ones")
			}
		}
	})
}

// The member makes a late write impossible by another one. If that is refused for good, the member
// does not try for ever.
func TestARefusedWriteAfterALostOneIsNotRepeatedForEver(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a", Data: []byte("old")})
		s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a", Nth: 1}, zktest.LoseRequest)
		refused := s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a"}, zktest.Fail(zktest.CodeNoAuth))
		if err := m.Set(s.Within(patience), []byte("new")); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("Set: %v", err)
		}
		await.Sleep(10 * stageT)
		if n := refused.Hits(); n > 3 {
			t.Errorf("it was tried %d times", n)
		}
	})
}

// Without WRITE on its heartbeat the session cannot tell whether a lost create may still happen. So
// the member fails, and deletes what it has made.
func TestAMemberThatCannotFenceLeavesNothing(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		must(t, s.Admin().EnsurePath(t.Context(), dir, nil))
		must(t, s.Admin().EnsurePath(t.Context(), "/zkrecipe/beats", nil))
		client := s.Open("a", session.Config{ACL: zk.WorldACL(zk.PermAll &^ zk.PermWrite)})
		s.On(zktest.Match{Op: zktest.OpMulti, Path: dir + "/*", Host: "a", Nth: 1}, zktest.LoseReply)
		_, err := join(s.Within(patience), client, dir, group.Config{ID: "a", NoLease: true, ACL: zk.WorldACL(zk.PermAll)})
		if !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("Join: %v", err)
		}
		if n := len(s.listed()); n != 0 {
			t.Errorf("%d znodes are left", n)
		}
	})
}
