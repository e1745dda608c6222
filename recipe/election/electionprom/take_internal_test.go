package electionprom

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// What is seen of leaders: the first is no change, other data of the same are none, and
// the time without any counts, at each scrape anew.
func TestLeadersAreFollowedThroughTheirGaps(t *testing.T) {
	m, c := New(), &candidate{}
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	see := func(seconds int, node string) {
		m.take(c, election.Event{Kind: election.LeaderChanged, Time: at(seconds), Leader: election.Candidate{Node: node}})
	}
	see(0, "")
	see(1, "") // the path has come, say
	see(2, "/a")
	see(3, "/a")
	see(10, "/b")
	see(20, "")
	see(21, "/c")
	if n := testutil.ToFloat64(m.changes); n != 2 {
		t.Errorf("%v changes, want 2", n)
	}
	if m.leaderless != 3*time.Second {
		t.Errorf("nobody led for %v, want 3 s", m.leaderless)
	}
	see(30, "")
	m.endGap(c, at(32)) // as when the candidate has stopped looking
	m.endGap(c, at(90))
	if m.leaderless != 5*time.Second {
		t.Errorf("nobody led for %v, want 5 s", m.leaderless)
	}
}
