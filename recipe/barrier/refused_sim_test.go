package barrier_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session"
)

// A member that has no permission to delete its znode is told. The end of its session deletes the
// znode, and then Leave can wait for the others.
func TestLeaveSaysThatTheZnodeMustNotBeDeleted(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		acl := zk.WorldACL(zk.PermRead | zk.PermWrite | zk.PermCreate)
		var sessions []*session.Session
		var all []*entering
		for _, host := range []string{"a", "b"} {
			client := s.Client(host)
			sessions = append(sessions, s.Session(client))
			d, err := barrier.NewDouble(client, dir, 2, barrier.Config{ACL: acl})
			must(t, err)
			all = append(all, s.enterBy(t.Context(), host, d))
		}
		a, b := all[0].in(t), all[1].in(t)
		refused := func(r *barrier.Round, own *session.Session) {
			t.Helper()
			err := r.Leave(s.Within(patience))
			var permanent *recipe.PermanentError
			if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("Leave: %v; want a PermanentError of the permission", err)
			}
			if <-own.Done(); !errors.Is(own.Err(), session.ErrStray) {
				t.Errorf("the session ends with %v", own.Err())
			}
		}
		refused(a, sessions[0])
		if err := a.Leave(s.Within(stageT)); !errors.Is(err, context.DeadlineExceeded) || !b.Valid() {
			t.Errorf("Leave: %v while another is inside: %v", err, b.Valid())
		}
		refused(b, sessions[1])
		leave(t, a, b)
	})
}
