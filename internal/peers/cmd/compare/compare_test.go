//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/campaign"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

func TestMain(m *testing.M) {
	becomeCandidate()
	os.Exit(m.Run())
}

// The histories are those by which the judge itself is tested.
func TestARowTellsInHowManyRoundsTwoLedAndForHowLong(t *testing.T) {
	dir := t.TempDir()
	for round, recorded := range map[string]string{
		"1a-seed1-rig1": "clean/follower-cut", "1a-seed2-rig1": "broken/overlap", "4a-seed1-rig1": "clean/paused",
		"4a-seed2-rig1": "broken/after-pause", "6-seed1-rig1": "broken/unfinished",
	} {
		text, err := os.ReadFile(filepath.Join(peers.Sources(), "..", "history", "testdata", recorded+".jsonl"))
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, round), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, round, "history.jsonl"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := rows(&out, "x", dir); err != nil {
		t.Fatal(err)
	}
	want := `| x | 1a | 2 | 1 | 10 / 10 | 2 | 216 / 216 |
| x | 4a | 2 | 0 | – | 1 | 533 / 533 |
| x | 6 | 1, 1 not gone through | 0 | – | 1 | 602 / 602 |
`
	if out.String() != want {
		t.Errorf("the rows are\n%s; want\n%s", out.String(), want)
	}
}

// A process that stands still does nothing, so nothing goes wrong while it believes that it leads.
func TestOfAPausedLeaderOnlyTheTimeAfterThePauseCounts(t *testing.T) {
	at := func(ms int64, id, event string, token int64) history.Line {
		l := history.Line{T: ms * int64(time.Millisecond), ID: id, Event: event, Token: token, TimeoutMS: 2000}
		if id == history.Nemesis {
			l.Of = "a"
		}
		return l
	}
	lines := []history.Line{
		at(0, history.Nemesis, "round", 0),
		at(10, "a", "elected", 1), at(20, "a", "beat", 1), at(30, history.Nemesis, "paused", 0),
		at(2500, "b", "elected", 2), at(2510, "b", "beat", 2), at(5000, "b", "beat", 2),
		at(4030, history.Nemesis, "continued", 0), at(4035, "a", "beat", 1), at(4041, "a", "beat", 1),
	}
	rep := history.Check(lines)
	if both := together(rep, lines); both != 11*time.Millisecond || rep.Overlap < time.Second {
		t.Errorf("two led for %v, with the pause for %v; want 11ms and more than a second", both, rep.Overlap)
	}
	lines = lines[:len(lines)-2]
	if both := together(history.Check(lines), lines); both >= 0 {
		t.Errorf("without a beat after the pause two led for %v; want never", both)
	}
}

// The comparison exists to show this: with candidates that trust their connections there are two
// leaders when the server of one has lost the quorum.
func TestAPeerBehindACutFollowerHasTwoLeaders(t *testing.T) {
	need.That(t, campaign.Available)
	// On a busy machine the other servers may lose each other as well, and drop everybody.
	for range 3 {
		var out strings.Builder
		if err := compare(t.Context(), []string{"-rounds", "1", "-rigs", "1", "-faults", "^1a ", "-kinds", string(peers.ZkLock)}, &out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "| zk.Lock | 1a | 1 | 1 | ") {
			return
		}
		t.Logf("no two leaders:\n%s", out.String())
	}
	t.Error("no round with two leaders out of three")
}
