package election_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// giveUp runs a candidate whose context ends after d.
func (s *stage) giveUp(client *session.Client, id string, d time.Duration) {
	s.T.Helper()
	el, err := election.New(client, stagePath, election.Config{ID: id})
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.T.Context(), d)
	defer cancel()
	if err := el.Run(ctx, untilTheEnd); !errors.Is(err, context.DeadlineExceeded) {
		s.T.Errorf("Run: %v", err)
	}
}

// succeeds demands that a candidate that joins now leads as soon as the leader has left.
func (s *stage) succeeds(leader *candidate, name string) *candidate {
	s.T.Helper()
	next := s.enter(name)
	next.events.wait(election.EventJoined, 1)
	begun := time.Now()
	leader.stop()
	next.term()
	if took := time.Since(begun); took > stageD/4 {
		s.T.Errorf("%s leads after %v", name, took)
	}
	return next
}

// Candidates give up at each step of joining. Each has announced its departure when its client is
// closed.
func TestWhoGivesUpWhileItJoinsDelaysNobody(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, _ := s.lineUp("a")
		leader := all[0]
		for ms := 1; ms <= 14; ms++ {
			client := s.Client(fmt.Sprint("gives up ", ms))
			s.Session(client)
			s.giveUp(client, "b", time.Duration(ms)*time.Millisecond)
			client.Close()
			leader = s.succeeds(leader, fmt.Sprint("after ", ms))
		}
	})
}

func TestARunThatIsCancelledWhileItJoinsDoesNotWaitForAnAnswer(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, _ := s.lineUp("a")
		client := s.Client("b")
		s.Session(client)
		host := s.Host("b")
		host.Hold(zktest.ToClient)
		begun := time.Now()
		s.giveUp(client, "b", stageD/16)
		if took := time.Since(begun); took > stageD/4 {
			t.Errorf("Run returned after %v", took)
		}
		host.Heal()
		await.Sleep(stageD / 16)
		client.Close()
		s.succeeds(all[0], "c")
	})
}
