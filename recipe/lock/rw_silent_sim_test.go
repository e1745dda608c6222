package lock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A writer waits for the lease of a reader that has vanished, wherever it was among others.
func TestAWriterWaitsForReadersThatVanish(t *testing.T) {
	for name, i := range map[string]int{"first": 0, "middle": 1, "last": 2} {
		for how, waits := range map[string]bool{"writer waits": true, "writer comes later": false} {
			t.Run(name+", "+how, func(t *testing.T) {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					var helds []*lock.Held
					for j := range 3 {
						helds = append(helds, s.rw(fmt.Sprint(j)).acquire(reading))
					}
					w := s.rw("w")
					var next <-chan *lock.Held
					if waits {
						next = w.begin(writing)
					}
					await.Sleep(stageD)
					s.Host(fmt.Sprint(i)).Hold() // it does not hear of it
					if err := s.Admin().Delete(t.Context(), helds[i].Node(), -1); err != nil {
						t.Fatal(err)
					}
					for j, h := range helds {
						if j != i {
							release(t, h)
						}
					}
					if !waits {
						next = w.begin(writing)
					}
					release(t, <-next) // the stage compares
				})
			})
		}
	}
}

// A reader that joins after one has vanished does not know that it was no writer.
func TestAReaderDoesNotJoinAVanishedWriter(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r := s.rw("a"), s.rw("r")
		h := a.acquire(writing)
		await.Sleep(stageD)
		a.host.Hold()
		if err := s.Admin().Delete(t.Context(), h.Node(), -1); err != nil {
			t.Fatal(err)
		}
		release(t, r.acquire(reading)) // the stage compares
	})
}

// A silent contender is replaced after its lease: a reader by the writer behind, a writer by
// readers.
func TestSilentHoldersOfARWAreReplaced(t *testing.T) {
	for name, c := range map[string]struct{ silent, next bool }{
		"a reader, by a writer": {reading, writing}, "a writer, by readers": {writing, reading}, "a writer, by a writer": {writing, writing},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config.Timeout, s.Config.Lease = 4*stageT, stageD
				a := s.rw("a")
				a.acquire(c.silent)
				first, second := s.rw("b").begin(c.next), s.rw("c").begin(c.next)
				await.Sleep(2 * stageD)
				begun := time.Now()
				a.host.Hold()
				h := <-first
				if took := time.Since(begun); took > 2*stageD {
					t.Errorf("it took %v", took)
				}
				if c.next == writing {
					release(t, h)
				}
				release(t, <-second)
				if took := time.Since(begun); took > 3*stageD {
					t.Errorf("both took %v", took)
				}
			})
		})
	}
}

// Waiting contenders that nobody may listen to are not taken for dead, even if their sessions have
// beaten before.
func TestNobodyWhoOnlyWaitsIsTakenForSilent(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 8*stageT, stageD
		var all []*rwProcess
		for i := range 8 {
			b := s.rw(fmt.Sprint(i))
			release(t, b.acquire(writing)) // its heartbeat has a version
			all = append(all, b)
		}
		kinds := []bool{reading, reading, writing, reading, writing, writing, reading, reading}
		var waiting []<-chan *lock.Held
		for i, b := range all {
			waiting = append(waiting, b.begin(kinds[i]))
		}
		await.Sleep(20 * stageD)
		for _, b := range all {
			if err := s.Session(b.client).Err(); err != nil || len(s.inLine()) != 8 {
				t.Fatalf("%s: %v", b.name, err)
			}
		}
		for _, w := range waiting {
			h := <-w
			await.Sleep(3 * stageD)
			release(t, h)
		}
	})
}

// A waiting reader whose znode is deleted enters the line again.
func TestAWaitingReaderThatIsDeletedComesAgain(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r := s.rw("a"), s.rw("r")
		h := a.acquire(writing)
		next := r.begin(reading)
		for _, n := range s.inLine() {
			if n.Path != h.Node() {
				if err := s.Admin().Delete(t.Context(), n.Path, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		release(t, h)
		release(t, <-next)
	})
}
