package semaphore_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Newer servers do not tell whose a znode is if there is no permission to read it, so nobody can
// listen to that session.
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

// On servers before 3.7.3, 3.8.4 and 3.9.2 exists needs no READ. So it tells what kind of znode is
// ahead, although its data are hidden.
func TestAHiddenPersistentPermitIsReported(t *testing.T) {
	onStage(t, 1, zktest.Config{Release: zktest.Release380}, func(t *testing.T, s *stage) {
		a := s.process("a")
		planted := s.plantHidden(a, "leases/lease-")
		got := a.begin(1)
		if ev := a.events.Next(t, "blocked", 0, 1, func(ev semaphore.Event) bool { return ev.Kind == semaphore.EventBlocked }); ev.Node != planted {
			t.Errorf("blocked by %q; want %q", ev.Node, planted)
		}
		await.Sleep(2 * stageT)
		if n := a.count(semaphore.EventBlocked); n != 1 || len(got) > 0 {
			t.Errorf("told %d times; acquired: %v", n, len(got) > 0)
		}
		shared.Must(t, s.Admin().Delete(t.Context(), planted, -1))
		s.release(<-got)
	})
}

// Newer servers do not tell what kind of znode it is, and so not whether it blocks for ever. The
// log names it.
func TestOneAheadThatMustNotBeReadIsLogged(t *testing.T) {
	for name, c := range map[string]struct{ at, says string }{
		"a permit":         {"leases/lease-", "no permission to read a permit ahead: nobody is told if it is a persistent znode"},
		"one in the line":  {"locks/_c_6d9c7c1e-1cb2-4f6e-8f0a-b1fd3b2d0d2b-lock-", "no permission to read the znode ahead: its end is noticed later"},
		"a permit of ours": {"leases/_c_6d9c7c1e-1cb2-8f6e-8f0a-b1fd3b2d0d2b-lease-", "no permission to read a permit ahead: nobody is told if it is a persistent znode"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
				var log bytes.Buffer
				a := s.process("a", semaphore.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				planted := s.plantHidden(a, c.at)
				got := a.begin(1)
				await.Sleep(5 * stageT)
				if len(got) > 0 {
					t.Error("it does not wait")
				}
				shared.Must(t, s.Admin().Delete(t.Context(), planted, -1))
				s.release(<-got)
				a.client.Close()
				synctest.Wait() // the log has a goroutine of its own
				if n := strings.Count(log.String(), c.says); n != 1 || !strings.Contains(log.String(), planted) {
					t.Errorf("logged %d times:\n%s", n, log.String())
				}
			})
		})
	}
}

// plantHidden lets a process make the path, and then creates a persistent znode that nobody may
// read, with that beginning of its name.
func (s *stage) plantHidden(p *process, prefix string) (node string) {
	s.T.Helper()
	s.release(p.acquire())
	s.none("leases")
	planted, err := s.Admin().Create(s.T.Context(), stagePath+"/"+prefix, nil, zk.FlagSequence, zk.DigestACL(zk.PermAll, "other", "secret"))
	shared.Must(s.T, err)
	return planted
}
