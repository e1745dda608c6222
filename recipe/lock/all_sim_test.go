package lock_test

import (
	"context"
	"errors"
	"fmt"
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

// locks are a client's locks at these paths.
func locks(t *testing.T, client *session.Client, paths ...string) (all []*lock.Lock) {
	t.Helper()
	for _, path := range paths {
		l, err := lock.New(client, path, lock.Config{Logger: shared.Logger(path)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// left counts the znodes that are in a line.
func (s *stage) left(path string) int { return len(s.Below(path)) }

// If one of the locks is lost, the set is lost, and the guarded writes of all of them fail.
func TestASetIsOverWithOneOfItsLocks(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.Client("a")
		set, err := lock.All(t.Context(), locks(t, a, "/x", "/y")...)
		if err != nil {
			t.Fatal(err)
		}
		s.Host("a").Delay(100*time.Millisecond, zktest.ToClient)
		admin := s.Admin()
		if err := admin.Delete(t.Context(), set.Held()[1].Node(), -1); err != nil {
			t.Fatal(err)
		}
		_, err = set.Multi(t.Context(), &zk.CreateRequest{Path: "/done", Acl: zk.WorldACL(zk.PermAll)})
		want(t, err, recipe.ErrNotHeld)
		<-set.Context().Done()
		want(t, context.Cause(set.Context()), recipe.ReasonNodeDeleted)
		want(t, set.Release(t.Context()), recipe.ReasonNodeDeleted)
		if _, ok, _ := admin.Exists(t.Context(), "/done"); ok {
			t.Error("written without one of the locks")
		}
		await.Sleep(stageT)
		if n := s.left("/x"); n != 0 {
			t.Errorf("%d left", n)
		}
	})
}

func TestTroubleWhileSeveralLocksAreAcquired(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(s *stage)
		fine bool
	}{
		"the answer is lost": {func(s *stage) {
			s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/x/*", Nth: 1}, zktest.LoseReply)
		}, true},
		"the request is lost": {func(s *stage) {
			s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/x/*", Nth: 1}, zktest.LoseRequest)
		}, true},
		"one is refused": {func(s *stage) {
			if _, err := s.Admin().Create(s.T.Context(), "/y", nil, 0, zk.WorldACL(zk.PermRead)); err != nil {
				s.T.Fatal(err)
			}
		}, false},
		"one is deleted while it waits": {func(s *stage) {
			h, err := locks(s.T, s.Client("other"), "/z")[0].Acquire(s.T.Context())
			if err != nil {
				s.T.Fatal(err)
			}
			go func() {
				s.Eventually("place", func() bool { return s.left("/y") == 1 })
				admin := s.Admin()
				names, _, _ := admin.Children(s.T.Context(), "/y")
				admin.Delete(s.T.Context(), "/y/"+names[0], -1)
				time.Sleep(stageD)
				h.Release(s.T.Context())
			}()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.Client("a")
				ls := locks(t, a, "/x", "/y", "/z")
				c.do(s)
				begun := time.Now()
				set, err := lock.All(t.Context(), ls...)
				if c.fine != (err == nil) {
					t.Fatalf("error %v", err)
				}
				if err != nil {
					var permanent *recipe.PermanentError
					if !errors.As(err, &permanent) || time.Since(begun) > stageD {
						t.Errorf("%v after %v", err, time.Since(begun))
					}
				} else if err := set.Release(t.Context()); err != nil {
					t.Error(err)
				}
				await.Sleep(stageT)
				for _, path := range []string{"/x", "/y", "/z"} {
					if n := s.left(path); n != 0 {
						t.Errorf("%d left in %s", n, path)
					}
				}
			})
		})
	}
}

// The second of three locks is refused, and another holds the third. All does not wait for the
// third, and holds nothing. Nor does one that only tries to acquire the third.
func TestAllIsRefusedAtOnceWhileAnotherHoldsTheThird(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.Client("a"), s.Client("b")
		third := locks(t, b, "/z")[0]
		held, err := third.Acquire(t.Context())
		shared.Must(t, err)
		_, err = s.Admin().Create(t.Context(), "/y", nil, 0, zk.WorldACL(zk.PermRead))
		shared.Must(t, err)
		ours := locks(t, a, "/x", "/y", "/z")
		s.Session(a)
		soon(t, "the refusal", func() {
			_, err := lock.All(s.Within(time.Second), ours...)
			var permanent *recipe.PermanentError
			if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("error %v; want that of the second lock", err)
			}
		})
		_, err = ours[2].TryAcquire(s.Within(time.Second))
		want(t, err, lock.ErrBusy)
		await.Sleep(time.Second)
		if x, y, z := s.left("/x"), s.left("/y"), s.left("/z"); x != 0 || y != 0 || z != 1 {
			t.Errorf("%d, %d and %d in line; want only the holder of the third", x, y, z)
		}
		soon(t, "the others", func() {
			release(t, held)
			set, err := lock.All(t.Context(), locks(t, b, "/x", "/z")...)
			shared.Must(t, err)
			shared.Must(t, set.Release(t.Context()))
		})
	})
}

// While it waits for one of the locks, the context may end: nothing is left.
func TestAllGivesUpByItsContext(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.Client("a"), s.Client("b")
		h, err := locks(t, a, "/y")[0].Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err = lock.All(ctx, locks(t, b, "/x", "/y", "/z")...)
		want(t, err, context.DeadlineExceeded)
		if took := time.Since(begun); took > 1100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		await.Sleep(time.Second)
		if n := s.left("/x") + s.left("/z"); n != 0 || s.left("/y") != 1 {
			t.Errorf("%d left", n)
		}
		begun = time.Now()
		set, err := lock.All(t.Context(), locks(t, a, "/x", "/z")...)
		if err != nil || time.Since(begun) > stageD/4 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		set.Release(t.Context())
		release(t, h)
	})
}

func TestWhatAllIsGivenIsChecked(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.Client("a"), s.Client("b")
		x, y := locks(t, a, "/x")[0], locks(t, b, "/y")[0]
		for i, ls := range [][]*lock.Lock{nil, {x, y}, {x, x}} {
			if _, err := lock.All(t.Context(), ls...); err == nil {
				t.Error(fmt.Sprint(i, " is taken"))
			}
			if _, err := lock.InTurn(t.Context(), ls...); err == nil {
				t.Error(fmt.Sprint(i, " is taken in turn"))
			}
		}
	})
}
