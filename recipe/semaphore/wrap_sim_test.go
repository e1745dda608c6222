package semaphore_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// An old server has counted through all numbers, and gives 0 once more. The record says that those
// up to the end are over, or only the last one.
func TestNoMorePermitsThanTheSizeWhenTheNumbersBeginAgain(t *testing.T) {
	for name, cfg := range map[string]semaphore.Config{"without slots": {}, "with slots": slotted} {
		for _, used := range []int32{8, 1} {
			t.Run(fmt.Sprintf("%s, %d before the end", name, used), func(t *testing.T) {
				onStage(t, 2, zktest.Config{SequenceWraps: true}, func(t *testing.T, s *stage) {
					a, b, c := s.process("a", cfg), s.process("b", cfg), s.process("c", cfg)
					s.release(a.acquire())
					s.throughTheNumbers(a, used)
					s.StartSequence(stagePath+"/leases", -3)
					for range 4 {
						x, y := a.acquire(), b.acquire()
						z := c.queue()
						if !waits(z, 3*stageD) || !x.Valid() || !y.Valid() {
							t.Fatalf("%s and %s are not the only ones", x.Node(), y.Node())
						}
						s.release(x)
						s.release(<-z)
						s.release(y)
					}
				})
			})
		}
	}
}

// throughTheNumbers acquires with the last numbers before the server has none left.
func (s *stage) throughTheNumbers(p *process, used int32) {
	s.T.Helper()
	s.StartSequence(stagePath+"/leases", math.MaxInt32-used)
	for range used {
		s.release(p.acquire())
	}
}

// A holder has vanished unseen, with a number from before the numbers began again or the first one
// afterwards.
func TestOneThatVanishedWhenTheNumbersBeganAgainIsWaitedFor(t *testing.T) {
	for _, used := range []int32{8, 1} {
		t.Run(fmt.Sprintf("%d before the end", used), func(t *testing.T) {
			onStage(t, 1, zktest.Config{SequenceWraps: true}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				s.release(a.acquire())
				s.throughTheNumbers(a, used)
				s.StartSequence(stagePath+"/leases", -2)
				for range 2 {
					old := a.acquire()
					s.none("locks")
					a.host.Hold()
					if err := s.Admin().Delete(t.Context(), old.Node(), -1); err != nil {
						t.Fatal(err)
					}
					next := b.acquire() // which the check compares with the other
					a.host.Heal()
					s.release(next)
				}
			})
		})
	}
}
