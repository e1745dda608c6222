package value_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A znode's version wraps to negative ones, and -1 means any version to a server.
func TestNoWriteIsUnconditionalWhereTheVersionWraps(t *testing.T) {
	for _, version := range []int32{1<<30 + 1, math.MaxInt32 - 1, math.MaxInt32, math.MinInt32, -3, -2} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.put("5")
			a, b := s.counter("a", value.CounterConfig{}), s.counter("b", value.CounterConfig{})
			s.setVersion(path, version)
			for want := int64(6); want < 12; want += 2 {
				for i, n := range []*value.Counter{a, b} {
					if got, err := n.Add(within(t), 1); got != want+int64(i) || err != nil {
						t.Errorf("version %d: Add = %d, %v; want %d", version, got, err, want+int64(i))
					}
				}
			}
			if v := s.version(); v < 0 || v > 10 {
				t.Errorf("version %d has become %d", version, v)
			}
		})
	}
}

// It can only be begun again where the znode has no children.
func TestAZnodeWithChildrenKeepsItsVersion(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		must(t, s.Admin().EnsurePath(within(t), path+"/child", nil))
		n := s.counter("a", value.CounterConfig{})
		s.setVersion(path, -4)
		for want := int64(6); want <= 8; want++ { // -4, -3, -2
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
		}
		if _, err := n.Add(within(t), 1); !errors.Is(err, value.ErrVersion) {
			t.Errorf("Add at version %d: %v; want ErrVersion", s.version(), err)
		}
		if got, err := n.Get(within(t)); got != 8 || err != nil {
			t.Errorf("Get = %d, %v", got, err)
		}
		s.put("8") // version 0
		if got, err := n.Add(within(t), 1); got != 9 || err != nil {
			t.Errorf("Add = %d, %v; want 9", got, err)
		}
	})
}

// The server may lag behind the one that has mended the version.
func TestAnOldVersionRefusesNoChange(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		s.setVersion(path, -1)
		old := s.Followers()[0]
		mine, err := value.NewCounter(s.Client("a", old.Addr()), path, value.CounterConfig{})
		must(t, err)
		if _, err := mine.Add(within(t), 1); !errors.Is(err, value.ErrVersion) {
			t.Errorf("Add at version -1: %v; want ErrVersion", err)
		}
		old.Isolate()
		s.put("6")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if got, err := mine.Add(within(t), 1); got != 7 || err != nil {
				t.Errorf("Add = %d, %v; want 7", got, err)
			}
		}()
		await.Sleep(stageT / 4)
		old.Rejoin()
		<-done
	})
}

// The transaction that wrote a value identifies it, not the znode's version.
func TestAValueThatWasMadeAgainIsAnother(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		first, err := v.CompareAndSet(within(t), value.Versioned{}, []byte("x"))
		must(t, err)
		admin := s.Admin()
		must(t, admin.Delete(within(t), path, -1))
		must(t, admin.EnsureNode(within(t), path, []byte("x"), nil))
		await.Sleep(2 * time.Second) // so long it may be taken for the same
		_, err = v.CompareAndSet(within(t), first, []byte("y"))
		if c := conflict(err); c == nil || c.Now.Zxid <= first.Zxid {
			t.Errorf("CompareAndSet: %v; want a conflict with a later transaction than 0x%x", err, first.Zxid)
		}
	})
}

func TestTheZnodeIsBegunAgainWithItsJournalOnce(t *testing.T) {
	sweep(t, func(t *testing.T, s *stage) {
		s.setVersion(path, math.MaxInt32)
		n := s.counter("a", value.CounterConfig{})
		for want := int64(6); want <= 7; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
		}
	})
}

// The journal's version wraps, too.
func TestAJournalIsBegunAgain(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		cfg := value.CounterConfig{Config: value.Config{Durable: "a"}}
		_, err := s.counter("a", cfg).Add(within(t), 1)
		must(t, err)
		s.setVersion("/zkrecipe/journals/a", math.MaxInt32)
		n := s.counter("b", cfg)
		for want := int64(7); want < 10; want++ {
			s.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "b", Nth: 1}, zktest.LoseReply)
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
		}
	})
}

func (s *stage) version() int32 {
	for _, n := range s.Nodes() {
		if n.Path == path {
			return n.Stat.Version
		}
	}
	return 0
}

// setVersion waits until all servers have what was written before.
func (s *stage) setVersion(path string, n int32) {
	await.Sleep(stageT / 4)
	s.SetVersion(path, n)
}
