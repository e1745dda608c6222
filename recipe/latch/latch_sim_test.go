package latch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

const path = "/app/latch"

func on(t *testing.T, s *stage.Stage, n int, host string, servers ...string) *latch.Latch {
	t.Helper()
	l, err := latch.New(s.Client(host, servers...), path, n, latch.Config{})
	stage.Must(t, err)
	return l
}

// start waits in the background; the result comes when it is over.
func start(ctx context.Context, l *latch.Latch) <-chan error {
	done := make(chan error, 1)
	go func() { done <- l.Wait(ctx) }()
	return done
}

func isClosed(t *testing.T, done <-chan error) {
	t.Helper()
	await.Sleep(3 * stage.T) // it has looked again
	select {
	case err := <-done:
		t.Fatalf("it does not wait: %v", err)
	default:
	}
}

func opens(t *testing.T, done <-chan error, within time.Duration) {
	t.Helper()
	select {
	case err := <-done:
		stage.Must(t, err)
	case <-time.After(within):
		t.Fatalf("it still waits after %v", within)
	}
}

func left(t *testing.T, l *latch.Latch, want int) {
	t.Helper()
	if n, err := l.Count(t.Context()); err != nil || n != want {
		t.Errorf("%d left, %v; want %d", n, err, want)
	}
}

func TestALatchOpensAtOnceWhenTheLastPartyHasCounted(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t := s.T
		l := on(t, s, 2, "w")
		left(t, l, 2) // there is no path yet
		done := start(t.Context(), l)
		isClosed(t, done)
		stage.Must(t, on(t, s, 2, "a").CountDown(t.Context(), "a"))
		isClosed(t, done)
		left(t, l, 1)
		stage.Must(t, on(t, s, 2, "b").CountDown(t.Context(), "b"))
		opens(t, done, 100*time.Millisecond)
		left(t, l, 0)
		stage.Must(t, l.Wait(t.Context())) // it stays open
		stage.Must(t, on(t, s, 2, "c").CountDown(t.Context(), "in excess"))
		left(t, l, 0)
	})
}

func TestTheFirstWaiterHearsOfTheOnlyPartyAtOnce(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		done := start(s.T.Context(), on(s.T, s, 1, "w"))
		isClosed(s.T, done)
		stage.Must(s.T, on(s.T, s, 1, "a").CountDown(s.T.Context(), "a"))
		opens(s.T, done, 100*time.Millisecond)
	})
}

func lose(s *stage.Stage, what zktest.Effect, times int) {
	for i := range times {
		s.On(zktest.Match{Op: zktest.OpCreate, Path: path + "/party-a", Nth: i + 1}, what)
	}
}

// A party counts once, also if the answer is lost or the process crashes.
func TestAPartyCountsOnce(t *testing.T) {
	for name, trouble := range map[string]func(s *stage.Stage){
		"no trouble":            func(*stage.Stage) {},
		"an answer is lost":     func(s *stage.Stage) { lose(s, zktest.LoseReply, 1) },
		"a request is lost":     func(s *stage.Stage) { lose(s, zktest.LoseRequest, 1) },
		"four answers are lost": func(s *stage.Stage) { lose(s, zktest.LoseReply, 4) },
		"the session is lost": func(s *stage.Stage) {
			s.Host("a").Drop(zktest.ToClient)
			time.AfterFunc(100*time.Millisecond, func() { s.Expire("a"); s.Host("a").Heal() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				t := s.T
				done := start(t.Context(), on(t, s, 2, "w"))
				a := on(t, s, 2, "a")
				left(t, a, 2)
				trouble(s)
				stage.Must(t, a.CountDown(t.Context(), "a"))
				stage.Must(t, a.CountDown(t.Context(), "a"))
				stage.Must(t, on(t, s, 2, "restarted").CountDown(t.Context(), "a"))
				left(t, a, 1)
				isClosed(t, done)
			})
		})
	}
}

func TestACountOutlivesItsParty(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t := s.T
		done := start(t.Context(), on(t, s, 2, "w"))
		stage.Must(t, on(t, s, 2, "a").CountDown(t.Context(), "a"))
		s.Expire("a")
		s.Host("a").Hold()
		await.Sleep(3 * stage.T)
		stage.Must(t, on(t, s, 2, "b").CountDown(t.Context(), "b"))
		opens(t, done, time.Second)
	})
}

func TestAWaiterThatHasMissedTheEventHearsOfIt(t *testing.T) {
	for name, trouble := range map[string]func(s *stage.Stage){
		"its event is lost":       func(s *stage.Stage) { s.Host("w").Drop(zktest.ToClient); time.AfterFunc(time.Second, s.Host("w").Heal) },
		"its session is lost":     func(s *stage.Stage) { s.Expire("w") },
		"it is cut off for long":  func(s *stage.Stage) { s.Host("w").Hold(); time.AfterFunc(5*stage.T, s.Host("w").Heal) },
		"its connection is reset": func(s *stage.Stage) { s.Host("w").Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				t := s.T
				done := start(t.Context(), on(t, s, 1, "w"))
				isClosed(t, done)
				trouble(s)
				stage.Must(t, on(t, s, 1, "a").CountDown(t.Context(), "a"))
				opens(t, done, stage.Patience)
			})
		})
	}
}

// Many count and wait at once, on three servers, with lost connections.
func TestManyCountAndAllWaitersGoOn(t *testing.T) {
	stage.On(t, zktest.Config{Jitter: 5 * time.Millisecond}, func(s *stage.Stage) {
		const n = 20
		var all sync.WaitGroup
		for i := range n {
			l := on(s.T, s, n, fmt.Sprint("h", i))
			all.Go(func() {
				if i%3 == 0 {
					time.AfterFunc(time.Duration(i)*time.Millisecond, s.Host(fmt.Sprint("h", i)).Cut)
				}
				if err := l.CountDown(s.T.Context(), fmt.Sprint(i)); err != nil {
					s.T.Error(err)
				}
				if err := l.Wait(s.Within(stage.Patience)); err != nil {
					s.T.Error(err)
				}
				if nodes := len(s.Below(path)); nodes != n {
					s.T.Errorf("it goes on with %d znodes; want %d", nodes, n)
				}
			})
		}
		all.Wait()
	})
}

// The documentation says what then happens: it begins anew.
func TestALatchWhosePathIsDeletedBeginsAnew(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t, admin := s.T, s.Admin()
		l := on(t, s, 2, "w")
		done := start(t.Context(), l)
		stage.Must(t, l.CountDown(t.Context(), "a"))
		stage.Must(t, admin.Delete(t.Context(), path+"/party-a", -1))
		stage.Must(t, admin.Delete(t.Context(), path, -1))
		left(t, l, 2)
		stage.Must(t, l.CountDown(t.Context(), "b"))
		isClosed(t, done)
		stage.Must(t, l.CountDown(t.Context(), "a"))
		opens(t, done, stage.T)
	})
}

func TestOtherChildrenDoNotCount(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t := s.T
		stage.Must(t, s.Admin().EnsurePath(t.Context(), path+"/notes", nil))
		l := on(t, s, 1, "w")
		left(t, l, 1)
		isClosed(t, start(t.Context(), l))
	})
}

func TestCountSeesWhoHadCountedAtAServerThatLags(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t := s.T
		slow := s.Followers()[0]
		l := on(t, s, 2, "w", slow.Addr())
		left(t, l, 2)
		a := on(t, s, 2, "a", s.Leader().Addr())
		stage.Must(t, a.CountDown(t.Context(), "a"))
		s.Link(s.Leader(), slow).Delay(500 * time.Millisecond)
		stage.Must(t, a.CountDown(t.Context(), "b"))
		left(t, l, 0)
	})
}

func TestWhatEndsACall(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		t := s.T
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := on(t, s, 1, "w").Wait(ctx); !errors.Is(err, cause) {
			t.Errorf("cancelled: %v", err)
		}
		if err := on(t, s, 1, "v").CountDown(ctx, "a"); !errors.Is(err, cause) {
			t.Errorf("cancelled before: %v", err)
		}
		client := s.Client("c")
		l, err := latch.New(client, path, 1, latch.Config{})
		stage.Must(t, err)
		time.AfterFunc(time.Second, func() { client.Close() })
		if err := l.Wait(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		_, err = s.Admin().Create(t.Context(), "/theirs", nil, zk.FlagPersistent, zk.DigestACL(zk.PermAll, "x", "y"))
		stage.Must(t, err)
		l, err = latch.New(s.Client("d"), "/theirs/latch", 1, latch.Config{})
		stage.Must(t, err)
		for what, err := range map[string]error{"CountDown": l.CountDown(t.Context(), "a"), "Wait": l.Wait(t.Context())} {
			var permanent *recipe.PermanentError
			if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("%s without permission: %v", what, err)
			}
		}
	})
}

func TestArgumentsAreChecked(t *testing.T) {
	client := stage.Offline(t)
	refuses := func(client *session.Client, path string, n int, says string) {
		t.Helper()
		_, err := latch.New(client, path, n, latch.Config{})
		stage.Says(t, err, says)
	}
	refuses(nil, path, 1, "the client is nil")
	refuses(client, "/", 1, `path is "/"; want one below it`)
	refuses(client, "a", 1, `path "a" does not begin with /`)
	refuses(client, path, 0, "0 parties; want 1 to")
	refuses(client, path, latch.MaxParties+1, "5001 parties; want 1 to 5000")
	l, err := latch.New(client, path, 1, latch.Config{})
	stage.Must(t, err)
	for _, party := range []string{"", "a/b", "\x00", strings.Repeat("a", 129)} {
		if err := l.CountDown(t.Context(), party); err == nil {
			t.Errorf("accepted: %q", party)
		}
	}
}
