package election_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The ensemble is down for 3T, and all sessions are presumed lost. Back again it grants them T once
// more, so the new candidates first stand behind the znodes of the former ones.
func TestAnEnsembleThatComesBackAfterALongOutageSoonHasALeader(t *testing.T) {
	for _, candidates := range []int{1, 2, 5} {
		var took []time.Duration
		most := 0
		for seed := range int64(10) {
			onStage(t, zktest.Config{Seed: seed}, func(t *testing.T, s *stage) {
				s.makePath()
				var names []string
				for i := range candidates {
					names = append(names, fmt.Sprint("c", i))
				}
				all, first := s.lineUp(names...)
				await.Sleep(stageD)
				for _, server := range s.Servers() {
					server.Kill()
				}
				<-first.Context().Done()
				await.Sleep(3 * stageT)
				if s.leading() != 0 {
					t.Error("somebody leads without an ensemble")
				}
				for _, server := range s.Servers() {
					server.Start()
				}
				back, terms, before := time.Now(), len(s.begun()), requests(s)
				s.Eventually("leader", func() bool { return len(s.begun()) > terms })
				took = append(took, time.Since(back))
				most = max(most, (requests(s)-before)/candidates)
				// The former znodes are gone when their sessions have expired.
				await.Sleep(stageT + 2*stageTick)
				if n := len(s.inLine()); n != candidates {
					t.Errorf("seed %d: %d in line, want %d", seed, n, candidates)
				}
				for _, a := range all {
					if n := a.events.count(election.EventJoined); n != 2 {
						t.Errorf("seed %d: %s has joined %d times", seed, a.events.who, n)
					}
				}
			})
		}
		slices.Sort(took)
		t.Logf("%d candidates: a leader after %v to %v, median %v; %d requests for each at most", candidates, took[0], took[len(took)-1], took[len(took)/2], most)
		if longest, want := took[len(took)-1], stageT+2*stageTick+2*stageD; longest > want {
			t.Errorf("%d candidates: nobody leads for %v, want at most %v", candidates, longest, want)
		}
		if most > 100 {
			t.Errorf("%d requests for each candidate", most)
		}
	}
}

// requests counts what was asked of the servers.
func requests(s *stage) (n int) {
	for _, m := range s.Counts().Requests {
		n += m
	}
	return n
}
