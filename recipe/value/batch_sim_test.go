package value_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/value"
)

// held returns what the znode has held, by transaction.
func (s *stage) held() map[int64]string {
	held := map[int64]string{}
	for _, c := range s.Commits.All() {
		for _, change := range c.Changes {
			if change.Path == path {
				held[c.Zxid] = string(change.Data)
			}
		}
	}
	return held
}

// Two additions that share a write change the number by two. Nobody is told the number between.
func TestARefusalInABatchTellsWhatTheZnodeHeld(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		_, err := n.Add(within(t), 100)
		must(t, err)
		var group sync.WaitGroup
		soon := func(f func()) { group.Go(f); time.Sleep(time.Microsecond) }
		add := func() {
			if _, err := n.Add(within(t), 1); err != nil {
				t.Error(err)
			}
		}
		conflicts := make(chan *value.ConflictError, 10)
		swap := func(from, to int64) func() {
			return func() {
				c := conflict(n.CompareAndSet(within(t), from, to))
				if conflicts <- c; c != nil && c.Count == from {
					t.Errorf("from %d: %v", from, c)
				}
			}
		}
		soon(add) // while this one is written, the others gather
		for range 2 {
			soon(add)
			soon(swap(5, 6))
			soon(swap(101, 6)) // refused by the addition before it
			soon(func() {
				if got, err := n.Get(within(t)); got != 101 || err != nil {
					t.Errorf("Get = %d, %v; want 101", got, err)
				}
			})
		}
		group.Wait()
		close(conflicts)
		held := s.held()
		for c := range conflicts {
			switch {
			case c == nil:
				t.Error("no conflict")
			case held[c.Now.Zxid] != string(c.Now.Data) || string(c.Now.Data) != fmt.Sprint(c.Count):
				t.Errorf("%v: %+v; the znode held %q", c, c.Now, held)
			}
		}
		if s.data() != "103" || n.Counts().Writes != 3 {
			t.Errorf("%s after %d writes; want 103 after 3", s.data(), n.Counts().Writes)
		}
	})
}

// Several want to replace the same number. One of them succeeds, and all get an answer.
func TestOneOfManyInABatchSucceeds(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		_, err := n.Add(within(t), 1)
		must(t, err)
		var group sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for i := range 50 {
			group.Go(func() {
				switch err := n.CompareAndSet(within(t), 1, int64(10+i)); {
				case err == nil:
					mu.Lock()
					done++
					mu.Unlock()
				case conflict(err) == nil || conflict(err).Now.Zxid == 0:
					t.Error(err)
				}
			})
		}
		group.Wait()
		if done != 1 {
			t.Errorf("%d have replaced the number; want 1", done)
		}
	})
}
