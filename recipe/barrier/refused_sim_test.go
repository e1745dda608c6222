package barrier_test

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
)

// Who must not delete its znode has not left, however often it tries.
func TestLeaveSaysThatTheZnodeMustNotBeDeleted(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		acl := zk.WorldACL(zk.PermRead | zk.PermWrite | zk.PermCreate)
		d, err := barrier.NewDouble(s.Client("a"), dir, 1, barrier.Config{ACL: acl})
		must(t, err)
		r, err := d.Enter(s.Within(patience))
		must(t, err)
		for range 2 {
			err := r.Leave(s.Within(patience))
			var permanent *recipe.PermanentError
			if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("Leave: %v; want a PermanentError of the permission", err)
			}
		}
	})
}
