package lock_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
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

// An acquisition is one write and a list that is asked for right after it. A release is one write.
// A lock that is held for a moment needs no other beat, no read of its znode and no notice. A
// session that has held one needs none of these either.
func TestAnUncontendedLockCostsTwoWrites(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		release(t, a.acquire())  // the session's heartbeat and the lock's path are there
		await.Sleep(10 * stageT) // and no beats go on; the next reads the record once more, and its own znode
		before, begun, commits := s.requests(), time.Now(), s.Commits.Len()
		const n = 100
		for range n {
			release(t, a.acquire())
		}
		took, each := time.Since(begun)/n, since(s.requests(), before)
		want := map[zktest.Op]int{zktest.OpMulti: 2 * n, zktest.OpGetChildren2: n, zktest.OpGetData: 2}
		if fmt.Sprint(each) != fmt.Sprint(want) {
			t.Errorf("%d acquisitions cost %v; want %v", n, each, want)
		}
		for _, c := range s.Commits.All()[commits+2:] { // without those of the first
			if len(c.Changes) != 2 { // the heartbeat and the znode, or the record and the znode
				t.Errorf("a transaction changes %+v", c.Changes)
			}
		}
		t.Logf("%v each, with a latency of 1ms", took)
		before = s.requests()
		await.Sleep(10 * stageT)
		if rest := since(s.requests(), before); len(rest) != 0 {
			t.Errorf("at rest: %v", rest)
		}
	})
}

// oneWrite is how long it takes until somebody hears of another's write: four steps through a
// follower and one for the event, each a millisecond, and sometimes one more for what is under way.
const oneWrite = 6500 * time.Microsecond

// Many sessions contend for one lock: what an acquisition costs does not depend on how many wait.
func TestWhatAContendedLockCosts(t *testing.T) {
	for _, n := range []int{4, 32} {
		if n == 32 && rounds.RaceDetector {
			continue
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				ctx, stop := context.WithCancel(t.Context())
				var acquired atomic.Int64
				done := make(chan struct{}, n)
				for i := range n {
					p := s.process(fmt.Sprint(i))
					go func() {
						for ctx.Err() == nil {
							p.Do(ctx, func(context.Context, *lock.Held) error { acquired.Add(1); return nil })
						}
						done <- struct{}{}
					}()
				}
				await.Sleep(stageT / 2)
				before, begun, already := s.requests(), time.Now(), acquired.Load()
				await.Sleep(stageT / 2)
				each, took, times := since(s.requests(), before), time.Since(begun), acquired.Load()-already
				stop()
				for range n {
					<-done
				}
				for op, count := range each {
					t.Logf("%v: %.2f", op, float64(count)/float64(times))
				}
				t.Logf("%v each", took/time.Duration(times))
				if writes := float64(each[zktest.OpMulti]+each[zktest.OpCreate]+each[zktest.OpDelete]+each[zktest.OpSetData]) / float64(times); writes > 2.3 {
					t.Errorf("%.2f writes for an acquisition and its release", writes)
				}
				// Of 32 contenders some wait for so long that they ask about the znodes between.
				if reads := float64(each[zktest.OpGetData]+each[zktest.OpGetChildren2]+each[zktest.OpExists]) / float64(times); reads > 5.5 {
					t.Errorf("%.2f reads for an acquisition", reads)
				}
				if each := took / time.Duration(times); each > oneWrite {
					t.Errorf("%v from one acquisition to the next", each)
				}
			})
		})
	}
}

// The number of those who wait does not matter.
func TestAHandOverCostsTheSameHoweverManyWait(t *testing.T) {
	shared.EachHandOverCostsTheSame(t, 1, 2.0/3, func(s *shared.Stage, name string) shared.Member {
		p := (&stage{Stage: s}).process(name)
		return shared.Member{
			Acquire: func(ctx context.Context) (func(context.Context) error, error) {
				h, err := p.Acquire(ctx)
				if err != nil {
					return nil, err
				}
				return h.Release, nil
			},
			Joined: func() int { return p.count(lock.EventJoined) },
		}
	})
}

// Sessions that have held nothing for a long time stand in line, and the lock goes from one to the
// next after moments. Each beats as soon as it is the heir. So its turn costs no request, however
// many stood ahead of it.
func TestOneThatHasWaitedForLongBeatsBeforeItsTurn(t *testing.T) {
	onStage(t, zktest.Config{Latency: time.Millisecond}, func(t *testing.T, s *stage) {
		const n = 12
		var waiting []<-chan *lock.Held
		for i := range n {
			waiting = append(waiting, s.process(fmt.Sprint(i)).begin())
			s.Eventually("place in line", func() bool { return len(s.inLine()) == i+1 })
		}
		await.Sleep(2 * stageT)
		for i, got := range waiting[:n-1] {
			h := <-got
			await.Sleep(20 * time.Millisecond) // far less than from one beat to the next
			begun := time.Now()
			released := make(chan error, 1)
			go func() { released <- h.Release(t.Context()) }()
			next := <-waiting[i+1]
			if took := time.Since(begun); took > oneWrite {
				t.Errorf("hand-over %d took %v", i, took)
			}
			shared.Must(t, <-released)
			ready := make(chan *lock.Held, 1)
			ready <- next
			waiting[i+1] = ready
		}
		release(t, <-waiting[n-1])
	})
}
