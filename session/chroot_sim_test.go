package session_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A client with a misspelled chroot leads alone, in another tree. The log says that the chroot was
// created.
func TestAChrootThatIsCreatedIsInTheLog(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		for _, c := range []struct {
			connect string
			lines   int
		}{{"", 0}, {"/a/pp", 1}, {"/a/pp", 0}, {"/a", 0}, {"/ap", 1}} {
			log := newLogbook(s.T)
			client := open(s.T, s.ConnectString()+c.connect, session.Config{Dial: s.Host("a").Dial, Logger: slog.New(log)})
			sess := established(s.T, client)
			must(s.T, sess.EnsurePath(s.T.Context(), "/x/y", nil))
			must(s.T, sess.EnsurePath(s.T.Context(), "/x/z", nil))
			client.Close()
			const text = "the chroot was missing and has been created"
			if n := strings.Count(log.String(), text); n != c.lines || n > 0 && !strings.Contains(log.String(), "chroot="+c.connect+"\n") {
				s.T.Errorf("chroot %q: %d lines, want %d:\n%s", c.connect, n, c.lines, log)
			}
		}
	})
}
