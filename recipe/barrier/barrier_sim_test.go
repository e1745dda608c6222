package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func (s *stage) barrier(host string, servers ...string) *barrier.Barrier {
	s.T.Helper()
	b, err := barrier.New(s.Client(host, servers...), dir, barrier.Config{})
	must(s.T, err)
	return b
}

// wait waits on a host of its own; the result comes when it is over.
func (s *stage) wait(host string, servers ...string) <-chan error {
	b := s.barrier(host, servers...)
	done := make(chan error, 1)
	go func() { done <- b.Wait(s.T.Context()) }()
	return done
}

func waiting(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("it does not wait: %v", err)
	default:
	}
}

func ends(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("it waits on")
	}
}

func TestARaisedBarrierHoldsBackUntilItIsLowered(t *testing.T) {
	for name, play := range map[string]func(s *stage, b *barrier.Barrier){
		"at rest":               func(s *stage, b *barrier.Barrier) {},
		"after a reconnect":     func(s *stage, b *barrier.Barrier) { s.Host("w").Cut() },
		"after its session":     func(s *stage, b *barrier.Barrier) { s.Expire("w") },
		"after a long cut":      func(s *stage, b *barrier.Barrier) { s.Host("w").Hold(); await.Sleep(5 * stageT); s.Host("w").Heal() },
		"lowered while cut off": func(s *stage, b *barrier.Barrier) { s.Host("w").Hold(); time.AfterFunc(stageT, s.Host("w").Heal) },
		"raised again at once": func(s *stage, b *barrier.Barrier) {
			s.Host("w").Drop() // the event is lost, and then the connection
			must(s.T, b.Lower(s.T.Context()))
			must(s.T, b.Raise(s.T.Context()))
			await.Sleep(100 * time.Millisecond) // its server has heard of both
			s.Host("w").Heal()
		},
		"the reply of the deletion is lost": func(s *stage, b *barrier.Barrier) {
			s.On(zktest.Match{Op: zktest.OpDelete, Nth: 1}, zktest.LoseReply)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				b := s.barrier("admin-host")
				must(t, b.Wait(t.Context())) // it is down
				must(t, b.Raise(t.Context()))
				must(t, b.Raise(t.Context()))
				done := s.wait("w")
				await.Sleep(5 * stageT / 2) // it looks again every T
				waiting(t, done)
				play(s, b)
				if name != "raised again at once" {
					await.Sleep(stageT / 4)
					waiting(t, done)
					must(t, b.Lower(t.Context()))
				}
				ends(t, done)
				must(t, b.Lower(t.Context()))
				await.Sleep(stageT)
				if n := len(s.Watches()); n != 0 {
					t.Errorf("%d watches left", n)
				}
			})
		})
	}
}

// A barrier that others know to be raised holds back a Wait at a server that lags.
func TestABarrierThatIsUpHoldsBackAtEveryServer(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		slow := s.Followers()[0]
		s.Link(s.Leader(), slow).Delay(500 * time.Millisecond)
		w := s.Client("w", slow.Addr())
		s.Session(w)
		b := s.barrier("admin-host", s.Leader().Addr())
		for range 5 {
			must(t, b.Raise(t.Context()))
			bw, err := barrier.New(w, dir, barrier.Config{})
			must(t, err)
			done := make(chan error, 1)
			go func() { done <- bw.Wait(t.Context()) }()
			await.Sleep(2 * time.Second)
			waiting(t, done)
			must(t, b.Lower(t.Context()))
			ends(t, done)
		}
	})
}

func TestWhatABarrierCannotDo(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.Client("a")
		b, err := barrier.New(c, dir, barrier.Config{})
		must(t, err)
		must(t, b.Raise(t.Context()))
		must(t, s.Admin().EnsurePath(t.Context(), dir+"/x", nil))
		if err := b.Lower(t.Context()); !errors.Is(err, zk.ErrNotEmpty) {
			t.Errorf("Lower: %v", err)
		}
		if err := b.Wait(s.Within(time.Second)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), dir+": not known to be down") {
			t.Errorf("Wait: %v; want it to tell what it has waited for", err)
		}
		s.On(zktest.Match{Op: zktest.OpGetData, Host: "a"}, zktest.Fail(zktest.CodeNoAuth))
		var permanent *recipe.PermanentError
		if err := b.Wait(t.Context()); !errors.As(err, &permanent) || permanent.Path != dir {
			t.Errorf("Wait: %v", err)
		}
		c.Close()
		if err := b.Wait(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestAWaitCostsAWriteAndARead(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		b := s.barrier("admin-host")
		must(t, b.Raise(t.Context()))
		s.Session(s.Client("other"))
		before := s.Counts()
		done := s.wait("w")
		await.Sleep(stageT / 2)
		after := s.Counts()
		ops := fmt.Sprint(after.Requests[zktest.OpMulti]-before.Requests[zktest.OpMulti], after.Requests[zktest.OpGetData]-before.Requests[zktest.OpGetData])
		if ops != "1 1" || len(s.Watches()) != 1 {
			t.Errorf("writes and reads: %s; %d watches", ops, len(s.Watches()))
		}
		must(t, b.Lower(t.Context()))
		ends(t, done)
	})
}

// One that lowers the barrier has found it, and is about to delete it. Meanwhile another has
// lowered it and raised it again.
func TestABarrierThatIsRaisedAgainStaysUp(t *testing.T) {
	for nth := 1; nth <= 4; nth++ { // request at which it is held up
		onStage(t, 1, func(t *testing.T, s *stage) {
			first, other := s.barrier("first"), s.barrier("other")
			must(t, other.Raise(t.Context()))
			must(t, first.Raise(t.Context())) // it has a session
			host, held, n := s.Host("first"), make(chan struct{}), 0
			s.Trap.Set(func(r zktest.Request) bool {
				if r.Host != "first" || r.Op == zktest.OpPing {
					return false
				}
				if n++; n < nth {
					return false
				}
				go func() {
					host.Hold(zktest.ToServer)
					close(held)
				}()
				return true
			})
			done := make(chan error, 1)
			go func() { done <- first.Lower(t.Context()) }()
			select {
			case <-held:
			case <-time.After(time.Second):
				ends(t, done)
				return // there are not so many
			}
			await.Sleep(50 * time.Millisecond)
			must(t, other.Lower(t.Context()))
			must(t, other.Raise(t.Context()))
			host.Heal()
			must(t, <-done)
			there := func(n zktest.Node) bool { return n.Path == dir }
			if nth > 1 && !slices.ContainsFunc(s.Nodes(), there) { // the first request asks whether there is one
				t.Errorf("held up at request %d, it lowers a barrier that was raised since", nth)
			}
		})
	}
}
