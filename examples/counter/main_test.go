package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// lines runs the program and returns what it has printed.
func lines(t *testing.T, args ...string) []line {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	var all []line
	for d := json.NewDecoder(&stdout); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestItRunsWithoutFlags(t *testing.T) {
	all := lines(t)
	for i, l := range all {
		if l.Event != "added" || l.Add != 1 || *l.Count != int64(i+1) || l.ID == "" || l.T == 0 {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	if len(all) != 10 {
		t.Errorf("%d lines; want 10", len(all))
	}
}

// Several of them share a counter, and each answer to a write is lost now and then.
func TestEachAdditionIsToldOnce(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second})
	for n := 5; n < 100; n += 9 {
		e.On(zktest.Match{Op: zktest.OpMulti, Nth: n}, zktest.LoseReply)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var counts []int64
	for _, id := range []string{"a", "b", "c"} {
		group.Go(func() {
			for _, l := range lines(t, "-zk", e.ConnectString(), "-path", "/app/n", "-id", id, "-add", "2", "-times", "20") {
				mu.Lock()
				if counts = append(counts, *l.Count); l.ID != id || l.Event != "added" {
					t.Errorf("%+v", l)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(counts)
	for i, count := range counts {
		if len(counts) != 60 || count != int64(2*i+2) {
			t.Fatalf("counts: %v; want 2 to 120", counts)
		}
	}
}

func TestAUserOfTheServersCounts(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second, Users: map[string]string{"alice": "secret"}})
	args := []string{"-zk", e.ConnectString(), "-times", "1", "-sasl"}
	lines(t, append(args, "digest:alice:secret")...)
	var stdout, stderr bytes.Buffer
	if code := run(append(args, "digest:alice:guess"), &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "credential rejected") || strings.Contains(stderr.String(), "guess") {
		t.Errorf("with a wrong password: exit code %d: %s", code, &stderr)
	}
}

func TestWhatIsWrongWithTheFlagsIsSaid(t *testing.T) {
	for flags, want := range map[string]string{
		"-times 0": "-times is 0", "x": `unexpected argument "x"`, "-path x": "path", "-timeout 1ms": "Timeout is 1ms", "-zk ,": "a server is empty",
	} {
		var stdout, stderr bytes.Buffer
		if code := run(strings.Fields(flags), &stdout, &stderr); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit code %d: %s; want %q", flags, code, &stderr, want)
		}
	}
}
