package session_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// watching counts the watches that the session has at the servers.
func (b *bubble) watching() (n int) {
	for _, w := range b.Watches() {
		if w.Session == b.s.ID() {
			n++
		}
	}
	return n
}

// abandon begins a wait for a change of the znode and gives it up.
func abandon(t *testing.T, s *session.Session, path string, list bool) {
	t.Helper()
	w := s.Watch(path, make(chan struct{}, 1))
	defer w.Stop()
	var err error
	if list {
		_, _, err = w.Children(t.Context())
	} else {
		_, _, err = w.Get(t.Context())
	}
	must(t, err)
}

func TestAThousandAbandonedWaitsLeaveNoWatches(t *testing.T) {
	for _, release := range []zktest.Release{zktest.Release3510, zktest.Release380, zktest.Release395} {
		t.Run(string(release), func(t *testing.T) {
			inBubbleOn(t, release, session.Config{Timeout: simT}, func(t *testing.T, b *bubble) {
				for i := range 1000 {
					path := fmt.Sprintf("/w/%d", i)
					must(t, b.s.EnsurePath(t.Context(), path, nil))
					abandon(t, b.s, path, i%2 == 1)
					if i%3 == 0 {
						abandon(t, b.s, path, i%2 == 0)
					}
				}
				await.Sleep(5 * time.Second)
				if n := b.watching(); n != 0 {
					t.Errorf("%d watches are left", n)
				}
				if n := b.Counts().Requests[zktest.OpRemoveWatches]; n < 1000 || n > 1010 { // a few paths are met between their two
					t.Errorf("%d requests to remove watches, want one for each path", n)
				}
			})
		})
	}
}

// A watch that is needed by others, or needed again, stays. A watch that has fired costs no
// request.
func TestOnlyWhatNobodyWantsIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ctx := t.Context()
		for _, path := range []string{"/others", "/again", "/fired", "/deleted", "/kinds"} {
			must(t, b.s.EnsurePath(ctx, path, nil))
		}
		wake := make(chan struct{}, 10)
		others := b.s.Watch("/others", wake)
		arm(t, others)
		abandon(t, b.s, "/others", false)
		abandon(t, b.s, "/again", false)
		again := b.s.Watch("/again", wake)
		arm(t, again)
		abandon(t, b.s, "/fired", false)
		abandon(t, b.s, "/deleted", false)
		abandon(t, b.s, "/deleted", true)
		_, err := b.s.Set(ctx, "/fired", nil, -1)
		must(t, err)
		must(t, b.s.Delete(ctx, "/deleted", -1))
		missing := b.s.Watch("/missing", wake)
		if _, _, err := missing.Get(ctx); err == nil {
			t.Fatal("the znode is not missing")
		}
		missing.Stop()
		await.Sleep(5 * time.Second)
		if n := b.Counts().Requests[zktest.OpRemoveWatches]; n != 0 {
			t.Errorf("%d requests to remove watches", n)
		}
		if !others.Armed() || !again.Armed() || b.watching() != 2 {
			t.Errorf("armed: %v, %v; %v", others.Armed(), again.Armed(), b.Watches())
		}
		kinds := b.s.Watch("/kinds", wake)
		_, _, err = kinds.Children(ctx)
		must(t, err)
		abandon(t, b.s, "/kinds", false)
		await.Sleep(5 * time.Second)
		if !kinds.Armed() || b.watching() != 3 {
			t.Errorf("armed: %v; %v", kinds.Armed(), b.Watches())
		}
	})
}

// lateRemoval is a connection on which a request to remove watches is sent after the next request.
type lateRemoval struct {
	net.Conn
	held chan struct{} // closed when one is held back
	late []byte
}

func (c *lateRemoval) Write(p []byte) (int, error) {
	if len(p) >= 12 && zktest.Op(binary.BigEndian.Uint32(p[8:])) == zktest.OpRemoveWatches {
		c.late = slices.Clone(p)
		close(c.held)
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	if err == nil {
		_, err = c.Conn.Write(c.late)
		c.late = nil
	}
	return n, err
}

// The read of a new Watch may be sent before the removal. Then the removal removes its watch.
func TestAWatchThatBeginsWhileTheFormerIsRemovedGetsItsEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/w", nil))
		held := make(chan struct{})
		client := open(t, b.ConnectString(), session.Config{Timeout: simT, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := b.host.Dial(ctx, network, addr)
			return &lateRemoval{Conn: conn, held: held}, err
		}})
		defer client.Close()
		s := established(t, client)
		abandon(t, s, "/w", false)
		<-held
		wake := make(chan struct{}, 1)
		w := s.Watch("/w", wake)
		defer w.Stop()
		arm(t, w)
		await.Sleep(simT / 8)
		for !w.Armed() { // told to look again
			<-wake
			arm(t, w)
		}
		_, err := b.s.Set(t.Context(), "/w", nil, -1)
		must(t, err)
		await.Sleep(simT / 8)
		if w.Armed() {
			t.Errorf("the Watch got no signal of a change; watches: %+v", b.Watches())
		}
	})
}

// A server of 3.4 has no znode of that name. If it is still asked to remove watches, it closes the
// connection. A lease does not end with that.
func TestServersThatCannotRemoveWatchesCostNoLease(t *testing.T) {
	for _, c := range []struct {
		name       string
		rule       zktest.Match
		effect     zktest.Effect
		removals   int
		reconnects uint64
	}{
		{"known by a znode", zktest.Match{Op: zktest.OpExists, Path: "/zookeeper/config"}, zktest.Fail(zktest.CodeNoNode), 0, 0},
		{"known by an answer", zktest.Match{Op: zktest.OpRemoveWatches}, zktest.Fail(zktest.CodeUnimplemented), 3, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				b.On(c.rule, c.effect)
				_, l := held(t, b.s)
				begun := time.Now()
				for i := 0; time.Since(begun) < time.Minute; i++ {
					path := fmt.Sprintf("/w/%d", i)
					must(t, b.s.EnsurePath(t.Context(), path, nil))
					abandon(t, b.s, path, false)
					await.Sleep(100 * time.Millisecond)
					if !l.Valid() {
						t.Fatal("the lease is lost")
					}
				}
				if n := b.Counts().Requests[zktest.OpRemoveWatches]; n > c.removals {
					t.Errorf("%d requests to remove watches, want at most %d, one for each server", n, c.removals)
				}
				if n := b.client.Status().Counts.Reconnects; n > c.reconnects {
					t.Errorf("%d reconnects, want at most %d", n, c.reconnects)
				}
			})
		})
	}
}
