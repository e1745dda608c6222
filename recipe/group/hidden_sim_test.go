package group_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onEachRelease runs a test on servers that want READ for exists, and on servers that do not. The
// paths are everybody's.
func onEachRelease(t *testing.T, f func(t *testing.T, s *stage, release zktest.Release)) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} {
		t.Run(string(release), func(t *testing.T) {
			shared.On(t, zktest.Config{Release: release}, func(x *shared.Stage) {
				for _, path := range []string{dir, "/zkrecipe/beats"} {
					must(x.T, x.Admin().EnsurePath(x.T.Context(), path, nil))
				}
				f(x.T, &stage{x}, release)
			})
		})
	}
}

// secret opens a client of that host whose znodes only those with its credential may read.
func (s *stage) secret(host, credential string) *session.Client {
	return s.Open(host, session.Config{Auth: []session.Auth{session.Digest("svc", credential)}})
}

// A process is killed and starts again with another credential before its session has expired. The
// member tries until the former znode is gone, and says so.
func TestAMemberThatStartsAgainWithAnotherCredentialIsListed(t *testing.T) {
	onEachRelease(t, func(t *testing.T, s *stage, release zktest.Release) {
		_, err := join(s.Within(patience), s.secret("a", "old"), dir, group.Config{ID: "a", Data: []byte("old")})
		must(t, err)
		s.Host("a").Drop()
		failed := make(chan error, 1000)
		m, err := join(s.Within(patience), s.secret("a2", "new"), dir, group.Config{ID: "a", Data: []byte("new"), OnEvent: func(e group.Event) {
			if e.Kind == group.EventFailed {
				failed <- e.Err
			}
		}})
		must(t, err)
		gap := s.least(1) == 0
		if waits := release == zktest.Release395; gap != waits || len(failed) > 0 != waits {
			t.Errorf("missing for a while: %v; %d failures were told", gap, len(failed))
		}
		if len(failed) > 0 {
			if err := <-failed; !errors.Is(err, zk.ErrNoAuth) || !strings.Contains(err.Error(), "no permission to read") {
				t.Errorf("a failure tells %v", err)
			}
		}
		if nodes := s.listed(); len(nodes) != 1 || string(nodes[0].Data) != "new" || !m.Valid() {
			t.Errorf("%+v; valid %v", nodes, m.Valid())
		}
	})
}

// A member that may be read by nobody else lives. Who joins with its ID does not disturb it where
// it has no permission to look at it, and tells why it is not listed.
func TestAHiddenMemberThatLivesIsNotReplaced(t *testing.T) {
	onEachRelease(t, func(t *testing.T, s *stage, release zktest.Release) {
		old, err := join(s.Within(patience), s.secret("old", "old"), dir, group.Config{ID: "a"})
		must(t, err)
		_, err = join(s.Within(20*stageT), s.secret("new", "new"), dir, group.Config{ID: "a"})
		if release == zktest.Release380 {
			must(t, err)
			<-old.Context().Done()
			return
		}
		var permanent *recipe.PermanentError
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &permanent) || !strings.Contains(err.Error(), "no permission to read") {
			t.Errorf("the other: %v", err)
		}
		if !old.Valid() || len(s.listed()) != 1 {
			t.Errorf("%d znodes; valid %v", len(s.listed()), old.Valid())
		}
	})
}

// A later member with another credential has replaced one that had lost its session. That one gets
// ErrReplaced, although it has no permission to look at the later one's znode.
func TestAMemberThatAHiddenOneHasReplacedIsTold(t *testing.T) {
	onEachRelease(t, func(t *testing.T, s *stage, _ zktest.Release) {
		old, err := join(s.Within(patience), s.secret("old", "old"), dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("old").Hold()
		s.Eventually("end of its session", func() bool { return len(s.listed()) == 0 })
		next, err := join(s.Within(patience), s.secret("new", "new"), dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("old").Heal()
		await.Sleep(20 * stageT)
		if cause := context.Cause(old.Context()); !errors.Is(cause, group.ErrReplaced) {
			t.Errorf("the earlier: %v, failed %d times: %v", cause, old.Status().Failed, old.Status().Err)
		}
		if !next.Valid() {
			t.Error("the later one is not valid")
		}
	})
}

// A member leaves, and finds a znode of its ID that it has no permission to look at. Its own is
// gone then.
func TestALeaveThatFindsAHiddenSuccessorIsDone(t *testing.T) {
	onEachRelease(t, func(t *testing.T, s *stage, _ zktest.Release) {
		old, err := join(s.Within(patience), s.secret("old", "old"), dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("old").Hold()
		must(t, s.Admin().Delete(t.Context(), old.Node(), -1))
		next, err := join(s.Within(stageT/4), s.secret("new", "new"), dir, group.Config{ID: "a"})
		must(t, err)
		time.AfterFunc(stageT/8, s.Host("old").Heal)
		if err := old.Leave(s.Within(patience)); err != nil {
			t.Errorf("Leave: %v", err)
		}
		if !next.Valid() || len(s.listed()) != 1 {
			t.Errorf("the later one: valid %v, %d znodes", next.Valid(), len(s.listed()))
		}
	})
}
