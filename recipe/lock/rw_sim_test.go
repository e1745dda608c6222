package lock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Six contenders come, in any order of readers and writers. Each block of readers, and each writer,
// holds the lock in its turn: at once when all before it have left.
func TestReadersAndWritersTakeTurns(t *testing.T) {
	for order := range 1 << 6 {
		if testing.Short() && order%5 > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%06b", order), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				holder := s.rw("holder")
				first := holder.acquire(writing)
				var waiting []<-chan *lock.Held
				var kinds []bool
				for i := range 6 {
					read := order>>i&1 == 1
					b := s.rw(fmt.Sprint(i))
					waiting, kinds = append(waiting, b.begin(read)), append(kinds, read)
				}
				await.Sleep(stageD / 4)
				release(t, first)
				for i := 0; i < len(waiting); {
					n := 1
					for kinds[i] && i+n < len(kinds) && kinds[i+n] {
						n++
					}
					var block []*lock.Held
					for _, w := range waiting[i : i+n] {
						soon(t, "a turn", func() { block = append(block, <-w) })
					}
					await.Sleep(time.Second)
					if i+n < len(waiting) && len(waiting[i+n]) > 0 {
						t.Fatalf("number %d holds it before its turn", i+n)
					}
					for j := range block { // not in the order in which they came
						release(t, block[(j+1)%len(block)])
					}
					i += n
				}
			})
		})
	}
}

// Readers leave in any order. The one that comes next knows that they have left.
func TestReadersThatLeaveInAnyOrderDelayNobody(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var helds []*lock.Held
		for i := range 8 {
			helds = append(helds, s.rw(fmt.Sprint(i)).acquire(reading))
		}
		w := s.rw("w")
		for _, i := range []int{3, 0, 7, 5, 1} {
			release(t, helds[i])
		}
		var late *lock.Held
		soon(t, "a reader that comes then", func() { late = s.rw("late").acquire(reading) })
		next := w.begin(writing)
		for _, i := range []int{6, 2, 4} {
			release(t, helds[i])
		}
		await.Sleep(time.Second)
		if len(next) > 0 {
			t.Fatal("a writer beside a reader")
		}
		soon(t, "the writer", func() { release(t, late); release(t, <-next) })
		soon(t, "who comes after it", func() { release(t, w.acquire(writing)) })
	})
}

// Many readers of one process leave at the same time, and write the same record.
func TestReadersThatLeaveTogetherDelayNobody(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, w := s.rw("a"), s.rw("w")
		var helds []*lock.Held
		for range 20 {
			helds = append(helds, a.acquire(reading))
		}
		next := w.begin(writing)
		for _, h := range helds {
			go h.Release(context.Background())
		}
		soon(t, "the writer", func() { release(t, <-next) })
		soon(t, "who comes after it", func() { release(t, w.acquire(writing)) })
	})
}

// Readers that come and go for ever do not keep a writer waiting. Writers do not keep a reader
// waiting either.
func TestNobodyStarves(t *testing.T) {
	for name, kind := range map[string]bool{"readers": reading, "writers": writing} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{}, 4)
				for i := range 4 {
					b := s.rw(fmt.Sprint(i))
					l := b.Write()
					if kind == reading {
						l = b.Read()
					}
					go func() {
						for ctx.Err() == nil {
							l.Do(ctx, func(context.Context, *lock.Held) error { time.Sleep(100 * time.Millisecond); return nil })
						}
						done <- struct{}{}
					}()
				}
				await.Sleep(time.Second)
				other := s.rw("other")
				for range 5 {
					begun := time.Now()
					release(t, other.acquire(!kind))
					if took := time.Since(begun); took > time.Second {
						t.Errorf("it took %v", took)
					}
				}
				stop()
				for range 4 {
					<-done
				}
			})
		})
	}
}

// Plain locks, elections and all others that stand in the line without a kind are writers.
func TestAPlainLockIsAWriter(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		r, w, p := s.rw("r"), s.rw("w"), s.process("p")
		h := r.acquire(reading)
		if _, err := p.TryAcquire(t.Context()); err == nil {
			t.Error("a plain lock beside a reader")
		}
		if _, err := w.Write().TryAcquire(t.Context()); err == nil {
			t.Error("a writer beside a reader")
		}
		next := p.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		if _, err := w.Read().TryAcquire(t.Context()); err == nil {
			t.Error("a reader overtook a plain lock")
		}
		release(t, h)
		release(t, <-next)
		all, err := r.Read().Contenders(t.Context())
		if err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
}
