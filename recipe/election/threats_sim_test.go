package election_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// What somebody else can do who has these permissions: recipe/docs/threats.md. The tests show that
// the permissions matter, and what still holds.

// With WRITE on the path and DELETE, somebody makes two leaders: nobody waits for one that has been
// announced as over. The resource that compares tokens still tells them apart.
func TestAForgedAnnouncementMakesTwoLeadersWhomTheirTokensTellApart(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		s.turns.Expels = true
		eve := s.Admin()
		all[0].host.Hold() // so that it does not hear of it
		_, stat, err := eve.Get(t.Context(), stagePath)
		if err != nil {
			t.Fatal(err)
		}
		record := fmt.Appendf(nil, "zkrecipe line 1\nlease 2s\npath %x-%x\nsettled 1\n", stat.Czxid, stat.Ctime)
		if _, err := eve.Set(t.Context(), stagePath, record, -1); err != nil {
			t.Fatal(err)
		}
		if err := eve.Delete(t.Context(), first.Node(), -1); err != nil {
			t.Fatal(err)
		}
		second := all[1].term()
		if !first.Valid() || !second.Valid() {
			t.Errorf("valid: %v, %v; want both, or the page claims too much", first.Valid(), second.Valid())
		}
		if second.Token() <= first.Token() {
			t.Errorf("token %d after %d", second.Token(), first.Token())
		}
	})
}

// With WRITE on a heartbeat, somebody makes two leaders: a candidate that joins now believes the
// length of the leader's lease in it. A candidate that has heard the heartbeat before does not
// believe a shorter one.
func TestAForgedHeartbeatMakesTwoLeadersWhomTheirTokensTellApart(t *testing.T) {
	for _, heir := range []bool{false, true} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			all, first := s.lineUp("a")
			if heir {
				all = append(all, s.enter("b"))
				all[1].events.wait(election.EventHeir, 1)
				await.Sleep(2 * stageD)
			}
			s.turns.Expels = true
			eve, beat := s.Admin(), s.Session(all[0].client).HeartbeatPath(all[0].client.Status().Session)
			all[0].host.Hold() // so that its next beat does not set it right
			if _, err := eve.Set(t.Context(), beat, []byte("200ms"), -1); err != nil {
				t.Fatal(err)
			}
			if !heir {
				all = append(all, s.enter("b"))
			}
			second := all[1].term()
			if first.Valid() == heir || !second.Valid() {
				t.Errorf("b was there before: %v; valid: %v, %v", heir, first.Valid(), second.Valid())
			}
			if second.Token() <= first.Token() {
				t.Errorf("token %d after %d", second.Token(), first.Token())
			}
		})
	}
}

// With CREATE on the path alone, somebody stands in front of all: no term ends, and those who were
// there before lead in their turn. But those who come when these have left wait behind it, and
// observers take it for the leader. One that comes while these are still there may lead: the notice
// of a leader that leaves tells it that all ahead are over.
func TestWhoMayCreateInTheLineStandsInFront(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		early := s.enter("early") // uses up the first number
		early.events.wait(election.EventJoined, 1)
		early.stop()
		all, first := s.lineUp("a", "b")
		const front = stagePath + "/_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-latch-0000000000"
		eve := s.Admin()
		if _, err := eve.Create(t.Context(), front, []byte("eve"), 0, nil); err != nil {
			t.Fatal(err)
		}
		await.Sleep(2 * stageT)
		if !first.Valid() {
			t.Error("the term has ended")
		}
		observed, err := all[1].Candidates(t.Context())
		if err != nil || len(observed) == 0 || observed[0].ID != "eve" {
			t.Errorf("observers see %+v, %v", observed, err)
		}
		all[0].stop()
		all[1].term()
		all[1].stop()
		late := s.enter("late")
		late.events.wait(election.EventJoined, 1)
		await.Sleep(2 * stageT)
		if s.leading() != 0 {
			t.Error("somebody leads behind it")
		}
		if err := eve.Delete(t.Context(), front, -1); err != nil {
			t.Fatal(err)
		}
		late.term()
	})
}

// With WRITE on the path alone, somebody keeps all candidates out that come later.
func TestARecordWithTooShortALeaseKeepsCandidatesOut(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		_, first := s.lineUp("a")
		if _, err := s.Admin().Set(t.Context(), stagePath, []byte("zkrecipe line 1\nlease 1ms\nsettled 0\n"), -1); err != nil {
			t.Fatal(err)
		}
		err := s.runOnce(stagePath)
		var permanent *recipe.PermanentError
		var lease *recipe.LeaseError
		if !errors.As(err, &permanent) || !errors.As(err, &lease) {
			t.Errorf("Run returned %v", err)
		}
		if !first.Valid() {
			t.Error("the leader has been put out, too")
		}
	})
}

// With WRITE on the leader's znode, somebody changes what observers read, and no more.
func TestDataThatSomebodyElseWritesEndNoTerm(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		_, first := s.lineUp("a", "b")
		if _, err := s.Admin().Set(t.Context(), first.Node(), []byte("a\n10.6.6.6"), -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(2 * stageT)
		if !first.Valid() || len(s.begun()) != 1 {
			t.Error("the term has ended")
		}
	})
}
