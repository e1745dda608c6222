package lock_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Newer servers do not tell whose a znode is if there is no permission to read it, so nobody can
// listen to that session.
func TestAHolderThatCannotBeReadIsReported(t *testing.T) {
	onStage(t, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
		shared.Must(t, s.Admin().EnsurePath(t.Context(), "/zkrecipe/beats", nil))
		release(t, s.process("first").acquire()) // makes the path
		alone := func(name string) *process {
			s.Config.Auth = []session.Auth{session.Digest(name, "secret")}
			return s.process(name, lock.Config{ACL: zk.DigestACL(zk.PermAll, name, "secret")})
		}
		a, b := alone("a"), alone("b")
		held := a.acquire()
		got := b.begin()
		impaired := b.events.Next(t, "impaired", 0, 1, func(ev lock.Event) bool { return ev.Kind == lock.EventImpaired })
		if !errors.Is(impaired.Err, zk.ErrNoAuth) || !strings.Contains(impaired.Err.Error(), held.Node()[len(stagePath)+1:]) {
			t.Errorf("impaired: %v", impaired.Err)
		}
		release(t, held)
		release(t, <-got)
	})
}
