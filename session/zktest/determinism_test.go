package zktest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// life lets clients live through faults and returns everything that the ensemble said, with the
// instants at which it said it.
func life(t *testing.T, seed int64) []string {
	var log []string
	note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	inBubble(t, zktest.Config{
		Servers: 3, Tick: 2 * time.Second, Latency: 300 * time.Microsecond, Seed: seed, Logf: note,
		OnCommit: func(c zktest.Commit) { note("commit %x %v %v", c.Zxid, c.Op, c.Time.UnixNano()) },
	}, func(t *testing.T, b *bench) {
		for i := range 3 {
			c := b.timed(fmt.Sprint(i), i+1, 10000)
			c.create("/e-", nil, 3)
			defer c.keepAlive(time.Second + time.Duration(i)*time.Millisecond)()
		}
		<-time.After(3 * time.Second)
		b.e.Leader().Kill()
		<-time.After(30 * time.Second)
		b.e.Server(1).Isolate()
		<-time.After(30 * time.Second)
		b.e.Server(1).Rejoin()
		<-time.After(30 * time.Second)
		note("%v", b.e.Counts())
	})
	return log
}

func TestTheSameSeedGivesTheSameLife(t *testing.T) {
	first := life(t, 7)
	for range 5 {
		if again := life(t, 7); !slices.Equal(first, again) {
			for i := range first {
				if i >= len(again) || first[i] != again[i] {
					t.Fatalf("line %d\n once  %s\n again %s", i, first[i], at(again, i))
				}
			}
			t.Fatalf("once %d lines, again %d", len(first), len(again))
		}
	}
	if slices.Equal(first, life(t, 8)) {
		t.Error("another seed changes nothing")
	}
}
