package group_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// forbid lets the session of host a lose its heartbeat's version, and refuses it to read the
// heartbeat once. Then the session holds none of its places any more.
func (s *stage) forbid(m *group.Member) {
	s.T.Helper()
	s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.Fail(zktest.CodeBadVersion))
	refused := s.On(zktest.Match{Op: zktest.OpGetData, Path: "/zkrecipe/beats/*", Host: "a", Nth: 1}, zktest.Fail(zktest.CodeNoAuth))
	<-refused.Fired()
	s.Eventually("that it is not listed", func() bool { return !m.Valid() })
}

// Refusals that come once in a while do not add up.
func TestAMemberIsSoonListedAgainAfterEachRefusal(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		for i := range 20 {
			s.forbid(m)
			begun := time.Now()
			s.Eventually("listing", m.Valid)
			if took := time.Since(begun); took > stageD {
				t.Fatalf("refusal %d: listed again after %v", i+1, took)
			}
			await.Sleep(10 * stageT)
		}
	})
}

// While it waits until it may hold its place again, a member does all the rest.
func TestARefusedMemberWritesAndNoticesTheEndOfItsSession(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		for range 15 { // one after the other, so that the pauses are long
			s.forbid(m)
		}
		begun := time.Now()
		must(t, m.Set(s.Within(patience), []byte("next")))
		if took := time.Since(begun); took > stageD || m.Valid() {
			t.Errorf("written after %v; valid %v", took, m.Valid())
		}
		s.ExpireSession(m0(s))
		s.Eventually("listing", m.Valid)
		if took := time.Since(begun); took > stageD {
			t.Errorf("listed again after %v", took)
		}
	})
}

// A connection that was lost while the member joined does not count when it writes other data
// later.
func TestLossesOfTheJoinDoNotCountForLaterData(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		large := bytes.Repeat([]byte{'x'}, 10<<10)
		s.On(zktest.Match{Op: zktest.OpMulti, Path: dir + "/*", Host: "a", Nth: 2}, zktest.LoseRequest) // the first finds no path
		m := s.join("a", group.Config{ID: "a", Data: large})
		lost := s.On(zktest.Match{Op: zktest.OpSetData, Path: m.Node(), Host: "a", Nth: 1}, zktest.LoseRequest)
		must(t, m.Set(s.Within(patience), append(large, 'y')))
		if lost.Hits() != 1 {
			t.Error("nothing was lost")
		}
	})
}
