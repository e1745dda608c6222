package value_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestCloseGivesTheJournalBack(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		v := s.value("b", value.Config{Durable: "host-b"})
		must(t, n.Close(within(t))) // nothing to do
		_, err := v.CompareAndSet(within(t), value.Versioned{}, []byte("5"))
		must(t, err)
		for want := int64(6); want < 9; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
			if left := s.journals(); len(left) != 2 {
				t.Errorf("journals after a change: %q", left)
			}
			for range 2 {
				must(t, n.Close(within(t)))
				must(t, v.Close(within(t)))
			}
			if left := s.journals(); len(left) != 1 || left[0] != "/zkrecipe/journals/host-b" {
				t.Errorf("journals after Close: %q; want the durable one", left)
			}
		}
	})
}

// Whatever is lost, each addition counts once, also the first one after Close.
func TestAnAdditionCountsOnceBesideClose(t *testing.T) {
	sweep(t, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		for want := int64(6); want <= 7; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
			must(t, n.Close(within(t)))
		}
		if left := s.journals(); len(left) != 0 {
			t.Errorf("journals: %q", left)
		}
		if s.data() != "7" {
			t.Errorf("the znode holds %s", s.data())
		}
	})
}

// Those who go on while others close are not disturbed.
func TestCloseAmongChanges(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				err := error(nil)
				if i%3 == 0 {
					err = n.Close(within(t))
				} else {
					_, err = n.Add(within(t), 1)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		must(t, n.Close(within(t)))
		if left := s.journals(); len(left) != 0 || s.data() != "40" {
			t.Errorf("%s; want 40; journals: %q", s.data(), left)
		}
	})
}

// A session has room for so many ephemeral znodes.
func TestAProgramThatClosesMayMakeManyCounters(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.Config.EphemeralBytes = 2000
		client := s.Client("a")
		add := func(i int) *value.Counter {
			t.Helper()
			n, err := value.NewCounter(client, fmt.Sprintf("/n%d", i), value.CounterConfig{})
			must(t, err)
			if _, err := n.Add(within(t), 1); err != nil {
				if !errors.Is(err, session.ErrTooManyEphemerals) {
					t.Error(err)
				}
				return nil
			}
			return n
		}
		var open []*value.Counter
		for i := range 200 {
			n := add(i)
			if n == nil {
				t.Fatalf("no room for counter %d", i)
			}
			if i >= 10 {
				must(t, n.Close(within(t)))
				continue
			}
			open = append(open, n)
		}
		for i := 0; open[len(open)-1] != nil; i++ {
			open = append(open, add(i))
		}
		must(t, open[0].Close(within(t)))
		if add(0) == nil {
			t.Error("Close has made no room")
		}
	})
}
