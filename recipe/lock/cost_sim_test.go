package lock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// requests are how many of each kind the servers have got, without pings.
func (s *stage) requests() map[zktest.Op]int {
	n := map[zktest.Op]int{}
	for op, count := range s.Counts().Requests {
		if op != zktest.OpPing {
			n[op] = count
		}
	}
	return n
}

func since(now, before map[zktest.Op]int) map[zktest.Op]int {
	n := map[zktest.Op]int{}
	for op, count := range now {
		if count > before[op] {
			n[op] = count - before[op]
		}
	}
	return n
}

// An acquisition is one write and one round of reads, a release one write. A lock that is held for
// a moment needs no beat besides, and neither does a session that has held one.
func TestAnUncontendedLockCostsTwoWrites(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.person("a")
		release(t, a.acquire()) // the session's heartbeat and the lock's path are there
		time.Sleep(10 * stageT) // and no beats go on
		before, begun := s.requests(), time.Now()
		const n = 100
		for range n {
			release(t, a.acquire())
		}
		took, each := time.Since(begun)/n, since(s.requests(), before)
		want := map[zktest.Op]int{zktest.OpMulti: 2 * n, zktest.OpGetChildren2: n, zktest.OpGetData: 2 * n}
		if fmt.Sprint(each) != fmt.Sprint(want) {
			t.Errorf("%d acquisitions cost %v; want %v", n, each, want)
		}
		t.Logf("%v each, with a latency of 1ms", took)
		before = s.requests()
		time.Sleep(10 * stageT)
		if rest := since(s.requests(), before); len(rest) != 0 {
			t.Errorf("at rest: %v", rest)
		}
	})
}
