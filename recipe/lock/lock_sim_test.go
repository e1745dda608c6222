package lock_test

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
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestALostLockIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		lose   func(s *stage, p *process, h *lock.Held)
		reason recipe.Reason
	}{
		"cut off": {func(s *stage, p *process, h *lock.Held) { p.host.Hold() }, recipe.ReasonLeaseExpired},
		"session": {func(s *stage, p *process, h *lock.Held) { s.Session(p.client).Close() }, recipe.ReasonSessionLost},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				h := a.acquire()
				next := b.begin()
				s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
				await.Sleep(stageD)
				c.lose(s, a, h)
				<-h.Context().Done()
				want(t, context.Cause(h.Context()), c.reason)
				second := <-next // the stage compares
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				var ended *recipe.EndedError
				if err := h.Release(ctx); !errors.As(err, &ended) || ended.Reason != c.reason {
					t.Errorf("Release of what was lost: %v", err)
				}
				if _, err := h.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
					t.Errorf("Multi: %v", err)
				}
				release(t, second)
			})
		})
	}
}

// The lock is lost while a guarded write is under way. The servers carry out the write. Its error
// must not match ErrNotHeld, which promises that nothing was done.
func TestAWriteThatTheLossOfTheLockCutsShortIsNotCalledNotDone(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, admin := s.process("a"), s.Admin()
		if err := admin.EnsurePath(t.Context(), "/data", nil); err != nil {
			t.Fatal(err)
		}
		h := a.acquire()
		rule := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/data", Nth: 1}, zktest.DropReply)
		go func() {
			<-rule.Fired()
			time.Sleep(stageD / 100) // it is carried out
			if err := admin.Delete(t.Context(), h.Node(), -1); err != nil {
				t.Error(err)
			}
		}()
		_, err := h.Multi(h.Context(), &zk.SetDataRequest{Path: "/data", Data: []byte("one"), Version: -1})
		want(t, err, recipe.ReasonNodeDeleted)
		if data, _, _ := admin.Get(t.Context(), "/data"); string(data) != "one" {
			t.Errorf("data %q; want what was written", data)
		}
		if errors.Is(err, recipe.ErrNotHeld) || session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("%v: outcome %v; want an unknown one, and no ErrNotHeld", err, session.OutcomeOf(err))
		}
	})
}

// A contender of the same process does not wait for the former znode of its own for ever.
func TestAReleaseWithALostReplyDoesNotBlockTheNext(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"reply": zktest.LoseReply, "request": zktest.LoseRequest} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.process("a")
				h := a.acquire()
				await.Sleep(stageD / 16) // no beat is under way
				lost := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: stagePath + "*", Nth: 1}, effect)
				go h.Release(t.Context())
				second := a.acquire()
				if lost.Hits() != 1 || second.Token() <= h.Token() {
					t.Errorf("%d lost, tokens %d and %d", lost.Hits(), h.Token(), second.Token())
				}
				await.Sleep(3 * stageT)
				if !second.Valid() || len(s.inLine()) != 1 {
					t.Errorf("valid %v, %d in line", second.Valid(), len(s.inLine()))
				}
				release(t, second)
			})
		})
	}
}

func TestCloseWaitsForTheRelease(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		h := a.acquire()
		closed := make(chan struct{})
		go func() { a.client.Close(); close(closed) }()
		<-h.Context().Done()
		want(t, context.Cause(h.Context()), recipe.ReasonClosed)
		want(t, context.Cause(h.Context()), session.ErrClosed)
		select {
		case <-closed:
			t.Error("the client is closed while the work goes on")
		case <-time.After(stageT):
		}
		release(t, h)
		<-closed
		begun := time.Now()
		release(t, b.acquire())
		if took := time.Since(begun); took > stageD/4 {
			t.Errorf("the next waited for %v", took)
		}
		_, err := a.Acquire(t.Context())
		want(t, err, session.ErrClosed)
	})
}

func TestArgumentsAreChecked(t *testing.T) {
	client := shared.Offline(t)
	refuses := func(client *session.Client, path string, cfg lock.Config, says string) {
		t.Helper()
		_, err := lock.New(client, path, cfg)
		shared.Says(t, err, says)
	}
	refuses(nil, "/l", lock.Config{}, "the client is nil")
	refuses(client, "/", lock.Config{}, `path is "/"; want one below it`)
	refuses(client, "l", lock.Config{}, `path "l" does not begin with /`)
	refuses(client, "/l", lock.Config{ID: "a\nb"}, `Config.ID is "a\nb"; want UTF-8`)
	refuses(client, "/l", lock.Config{Style: "zoo"}, `Config.Style is "zoo"; want "curator"`)
	refuses(client, "/l", lock.Config{StopBefore: time.Hour}, "Config.StopBefore is 1h0m0s; want up to 1s, a quarter of session.Config.Lease (4s), or 0 for 250ms")
	refuses(client, "/l", lock.Config{DrainTimeout: -1}, "Config.DrainTimeout is -1ns; want 0 for")
	refuses(client, "/l", lock.Config{Data: make([]byte, 2_000_000)}, "Config.Data is 2000000 bytes long; want at most")
	l, err := lock.New(client, "/l", lock.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Do(t.Context(), nil); err == nil {
		t.Error("Do takes nil")
	}
	short, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if _, err := l.Acquire(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no session with 127.0.0.1:1") {
		t.Errorf("Acquire without servers: %v; want it to tell of them", err)
	}
	if _, err := lock.All(t.Context(), l, nil); err == nil || !strings.Contains(err.Error(), "number 2 of 2") {
		t.Errorf("All with a nil lock: %v", err)
	}
}

func TestTheDeadlineIsWhenTheLeaseEnds(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		h := s.process("a").acquire()
		if until, remaining := time.Until(h.Deadline()), h.Remaining(); remaining <= 0 || (until-remaining).Abs() > time.Millisecond {
			t.Errorf("the deadline is in %v; the lease runs for %v", until, remaining)
		}
		release(t, h)
	})
}
