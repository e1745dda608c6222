package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A create that is sent while a beat is on its way expects the version after that beat. Otherwise
// it would be refused, again and again where answers take longer than the time between two beats.
func TestGuardedCreatesAreNotRefusedBesideBeats(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.lines(1)
		held(t, b.s)
		b.host.Delay(b.s.LeaseTime() / 10) // a beat is on its way most of the time
		b.Commits.Reset()
		for range 100 {
			_, err := b.s.CreatePlace(t.Context(), "/e/0", "n-", nil, nil)
			must(t, err)
		}
		for _, c := range b.Commits.All() {
			if c.Session == b.s.ID() && c.Err != zktest.CodeOK {
				t.Fatalf("a transaction was refused: %v", c.Err)
			}
		}
	})
}

// A beat that is refused because of a create does not change the version. So what was sent behind
// it is refused, too. Such beats do not follow one another while somebody needs another version.
func TestCreatesThatAreRefusedDelayNoGuardAndNoFence(t *testing.T) {
	for what, do := range map[string]func(ctx context.Context, s *session.Session) error{
		"create": func(ctx context.Context, s *session.Session) error {
			_, err := s.CreatePlace(ctx, "/e/0", "n-", nil, nil)
			return err
		},
		"fence": func(ctx context.Context, s *session.Session) error { return s.Fence(ctx) },
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				b.lines(1)
				must(t, b.s.EnsureHeartbeat(t.Context()))
				b.host.Delay(5 * time.Millisecond)
				all, stop := context.WithCancel(t.Context())
				var asking sync.WaitGroup
				for range 50 {
					asking.Go(func() {
						for all.Err() == nil {
							_, _ = b.s.CreatePlaces(all, session.Place{Dir: "/missing", Name: "n-"})
						}
					})
				}
				for range 20 {
					begun := time.Now()
					must(t, do(t.Context(), b.s))
					if took := time.Since(begun); took > 500*time.Millisecond {
						t.Errorf("it took %v", took)
					}
				}
				stop()
				asking.Wait()
			})
		})
	}
}

// A create whose guard was refused is tried again only while its caller wants it.
func TestNoCreateBeginsAgainAfterItsCallerHasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.lines(1)
		must(t, b.s.EnsureHeartbeat(t.Context()))
		b.host.Delay(5 * time.Millisecond)
		sent := b.On(zktest.Match{Op: zktest.OpMulti, Path: "/e/0/*"}, zktest.Effect{})
		var setting sync.WaitGroup
		all, stop := context.WithCancel(t.Context())
		setting.Go(func() { // an administrator, so that no version is known for long
			for admin := b.Admin(); all.Err() == nil; {
				_, _ = admin.Set(all, b.s.HeartbeatPath(b.s.ID()), nil, -1)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		through, end := b.s.SeeThrough(ctx)
		defer end()
		if _, err := b.s.CreatePlace(through, "/e/0", "n-", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("create: %v", err)
		}
		before := sent.Hits()
		time.Sleep(simT)
		if after := sent.Hits(); before < 2 || after > before+1 {
			t.Errorf("%d creates were sent in time, and %d later", before, after-before)
		}
		stop()
		setting.Wait()
	})
}

// Nothing was created, so the error must not leave that open, and the session goes on.
func TestWithoutPermissionForTheDirectoryOfHeartbeatsNothingIsCreated(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.lines(1)
		b.On(zktest.Match{Op: zktest.OpCreate, Host: "a", Path: "/zkrecipe*", Nth: 1}, zktest.LoseRequest)
		b.On(zktest.Match{Op: zktest.OpCreate, Host: "a", Path: "/zkrecipe*"}, zktest.Fail(zktest.CodeNoAuth))
		_, err := b.s.CreatePlace(t.Context(), "/e/0", "n-", nil, nil)
		if !errors.Is(err, zk.ErrNoAuth) || session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("create: %v, %v", session.OutcomeOf(err), err)
		}
		if b.s.Err() != nil {
			t.Errorf("the session: %v", b.s.Err())
		}
	})
}

func TestWithoutAHeartbeatThereIsNoFence(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, err := b.s.FencedMulti(t.Context(), &zk.CheckVersionRequest{Path: "/", Version: -1})
		if !errors.Is(err, zk.ErrBadArguments) || session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("FencedMulti: %v", err)
		}
		if err := b.s.Fence(t.Context()); !errors.Is(err, zk.ErrBadArguments) {
			t.Errorf("Fence: %v", err)
		}
	})
}
