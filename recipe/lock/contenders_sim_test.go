package lock_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestContendersAreListed(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a", lock.Config{Data: []byte("10.0.0.7")}), s.process("b", lock.Config{Style: lock.StyleKazoo})
		if all, err := a.Contenders(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		h := a.acquire()
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		all, err := b.Contenders(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%v, %v", all, err)
		}
		if c := all[0]; c.ID != "a" || string(c.Data) != "10.0.0.7" || c.Token != h.Token() || c.Node != h.Node() || c.Session == 0 {
			t.Errorf("%+v", c)
		}
		if all[1].ID != "b" {
			t.Errorf("%+v", all[1])
		}
		release(t, h)
		release(t, <-next)
	})
}

// Somebody asks the holder to release the lock, also while the holder is cut off.
func TestARevocationIsHeardOnce(t *testing.T) {
	for name, cut := range map[string]bool{"connected": false, "cut off meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config.Timeout, s.Config.Lease = 5*stageT, 2*stageT
				told := make(chan *lock.Held, 10)
				a, b, c := s.process("a", lock.Config{OnRevoke: func(h *lock.Held) { told <- h }}), s.process("b"), s.process("c")
				h := a.acquire()
				next, last := b.begin(), c.begin()
				s.Eventually("line of three", func() bool { return len(s.inLine()) == 3 })
				if cut {
					a.host.Cut()
				}
				for range 2 {
					if err := b.Revoke(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				await.Sleep(stageD / 4)
				a.host.Heal()
				if got := <-told; got != h {
					t.Error("told of another Held")
				}
				await.Sleep(3 * stageD)
				if len(told) != 0 || a.count(lock.EventRevoked) != 1 || len(s.inLine()) != 3 {
					t.Errorf("told %d times more, %d in line", len(told), len(s.inLine()))
				}
				if all, err := c.Contenders(t.Context()); err != nil || !all[0].Revoked || all[0].ID != "" || all[1].Revoked {
					t.Errorf("%+v, %v", all, err)
				}
				release(t, h)
				for range 2 {
					select {
					case h = <-next:
					case h = <-last:
					}
					release(t, h)
				}
			})
		})
	}
}
