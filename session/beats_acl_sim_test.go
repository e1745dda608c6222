package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The first service creates the directory of the heartbeats for itself alone. The error that the
// next service gets tells what to do.
func TestAServiceThatFindsAnothersHeartbeatsIsToldWhatToDo(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		place := func(cfg session.Config, dir string) error {
			x := s.Session(s.Open("a", cfg))
			must(s.T, x.EnsurePath(s.Within(stage.Patience), dir, nil))
			_, err := x.CreatePlace(s.Within(stage.Patience), dir, "n-", nil, nil)
			return err
		}
		ann, bob := []session.Auth{session.Digest("ann", "hidden1")}, []session.Auth{session.Digest("bob", "hidden2")}
		must(s.T, place(session.Config{Auth: ann}, "/first"))
		for _, c := range []struct {
			cfg  session.Config
			says []string
		}{
			{session.Config{Auth: bob}, []string{"below /zkrecipe/beats", `with the scheme "digest" and the user "bob"`}},
			{session.Config{}, []string{"below /zkrecipe/beats", "without credentials"}},
			{session.Config{Beats: "/zkrecipe/mine"}, []string{"cannot create /zkrecipe/mine", "without credentials"}},
		} {
			err := place(c.cfg, "/second"+strings.ReplaceAll(c.cfg.Beats, "/", "-")+c.says[1][:7])
			stage.Says(s.T, err, append(c.says, "probably belongs to another service", "its own chroot", "Config.Beats")...)
			if !errors.Is(err, zk.ErrNoAuth) || strings.Contains(err.Error(), "hidden") {
				s.T.Errorf("the error is %v", err)
			}
		}
		must(s.T, place(session.Config{Auth: bob, Beats: "/bob"}, "/third"))
	})
}
