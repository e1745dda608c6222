package semaphore_test

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A persistent znode, of any library, has a permit until somebody deletes it.
func TestAPersistentPermitIsReported(t *testing.T) {
	for name, prefix := range map[string]string{
		"ours":    "_c_6d9c7c1e-1cb2-8f6e-8f0a-b1fd3b2d0d2b-lease-",
		"foreign": "lease-",
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.process("a")
				s.release(a.acquire()) // makes the path
				planted, err := s.Admin().Create(t.Context(), stagePath+"/leases/"+prefix, nil, zk.FlagSequence, nil)
				shared.Must(t, err)
				first := a.acquire() // there is room for one beside it
				got := a.begin(1)
				if ev := a.events.Next(t, "blocked", 0, 1, func(ev semaphore.Event) bool { return ev.Kind == semaphore.EventBlocked }); ev.Node != planted {
					t.Errorf("blocked by %q; want %q", ev.Node, planted)
				}
				if st := a.Status(); len(st.Claims) != 2 || st.Claims[0].Blocked || !st.Claims[1].Blocked {
					t.Errorf("%+v", st)
				}
				await.Sleep(2 * stageT)
				if n := a.count(semaphore.EventBlocked); n != 1 || a.count(semaphore.EventAcquired) != 2 {
					t.Errorf("told %d times; acquired %d times", n, a.count(semaphore.EventAcquired))
				}
				shared.Must(t, s.Admin().Delete(t.Context(), planted, -1))
				s.release(<-got)
				s.release(first)
			})
		})
	}
}

// Newer servers do not tell whose a znode is that must not be read, so nobody can listen to that
// session.
func TestAHolderThatCannotBeReadIsReported(t *testing.T) {
	onStage(t, 1, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
		shared.Must(t, s.Admin().EnsurePath(t.Context(), "/zkrecipe/beats", nil))
		s.release(s.process("first").acquire()) // makes the path
		alone := func(name string) *process {
			s.Config.Auth = []session.Auth{session.Digest(name, "secret")}
			return s.process(name, semaphore.Config{ACL: zk.DigestACL(zk.PermAll, name, "secret")})
		}
		a, b := alone("a"), alone("b")
		held := a.acquire()
		got := b.begin(1)
		if ev := b.events.Next(t, "impaired", 0, 1, func(ev semaphore.Event) bool { return ev.Kind == semaphore.EventImpaired }); !errors.Is(ev.Err, zk.ErrNoAuth) {
			t.Errorf("impaired: %v", ev.Err)
		}
		s.release(held)
		s.release(<-got)
	})
}
