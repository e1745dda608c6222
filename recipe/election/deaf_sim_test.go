package election_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// deafen lets a leader hear nothing from now on. It counts itself the leader until its lease is
// over, even if its znode and its heartbeat are changed. The stage sees whether the next one waits.
func (s *stage) deafen(a *candidate, term *election.Term) {
	s.T.Helper()
	a.host.Hold(zktest.ToClient)
	if !term.Valid() {
		s.T.Fatal("it does not lead: nothing is tested")
	}
}

// A waiter leaves while others wait for the lease of a leader that has gone. It announces only its
// own departure.
func TestWhoLeavesTheLineTellsNothingAboutOthers(t *testing.T) {
	for name, c := range map[string]struct{ leaver, next int }{"the heir": {1, 2}, "one behind": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				all, first := s.lineUp("a", "b", "c", "d")
				admin := s.Admin()
				await.Sleep(2 * stageD)
				s.deafen(all[0], first)
				if err := admin.Delete(t.Context(), first.Node(), -1); err != nil {
					t.Fatal(err)
				}
				all[c.leaver].stop()
				all[c.next].term() // compared with the first
				all[c.next].events.wait(election.EventWithheld, 1)
			})
		})
	}
}

// The leader's heartbeat is deleted by hand, which proves nothing.
func TestTheNextWaitsForALeaderWhoseHeartbeatIsDeleted(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		admin, beat := s.Admin(), s.Session(all[0].client).HeartbeatPath(all[0].client.Status().Session)
		await.Sleep(2 * stageD)
		s.deafen(all[0], first)
		if err := admin.Delete(t.Context(), beat, -1); err != nil {
			t.Fatal(err)
		}
		gone := time.Now()
		all[1].term()
		if took := time.Since(gone); took < stageD || took > stageD*135/100 {
			t.Errorf("the next leads after %v", took)
		}
	})
}

// The leader's heartbeat is set by hand to what a takeover would have made of it, and then back.
// The heir waits for the lease, no matter what it has read meanwhile.
func TestARevocationByHandThatIsTakenBackIsNotBelieved(t *testing.T) {
	for step := range 16 {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			all, first := s.lineUp("a", "b")
			admin, beat := s.Admin(), s.Session(all[0].client).HeartbeatPath(all[0].client.Status().Session)
			await.Sleep(2*stageD + time.Duration(step)*stageD/64)
			all[1].host.Delay(stageD/16, zktest.ToServer)
			s.deafen(all[0], first)
			_, stat, err := admin.Get(t.Context(), beat)
			if err != nil {
				t.Fatal(err)
			}
			for _, data := range []string{fmt.Sprintf("revoked %d", stat.Version), stageD.String()} {
				if _, err := admin.Set(t.Context(), beat, []byte(data), -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
					t.Fatal(err) // it is gone if the leader has seen it
				}
				await.Sleep(stageD / 16)
			}
			all[1].term() // compared with the first
		})
	}
}

// A leader whose lease is about to lapse has stopped its work when it announces that it leaves.
func TestALeaderWhoseLeaseHasLapsedStopsBeforeItAnnouncesThat(t *testing.T) {
	for step := range 40 {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			a := s.enterWith("a", election.Config{StopBefore: stageD / 4}, untilTheEnd)
			a.term()
			b := s.enter("b")
			b.events.wait(election.EventHeir, 1)
			await.Sleep(2*stageD + time.Duration(step)*stageD/160)
			// Nothing is answered, and what was asked arrives in time for the end of the term.
			a.host.Hold(zktest.ToServer)
			await.Sleep(stageD * 3 / 4)
			a.host.Heal()
			await.Sleep(3 * stageD)
		})
	}
}
