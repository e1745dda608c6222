package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

// removing has many removals of one session. The first has been sent, and the others are queued.
type removing struct {
	c     *cluster
	s     *session.Session
	at    *faultproxy.Proxy
	first *faultproxy.Fault // holds the first one's reply
	paths []string
	done  chan error
}

func removeMany(t *testing.T, c *cluster, n int, ctx context.Context) *removing {
	client, s := c.protected(steady)
	r := &removing{c: c, s: s, at: c.at(client), done: make(chan error, n)}
	for i := range n {
		path, err := s.Create(within(t, hang), fmt.Sprintf("/e/%d", i), nil, zk.FlagEphemeral, nil)
		must(t, err)
		r.paths = append(r.paths, path)
	}
	r.at.Reset()
	r.first = r.at.HoldReply(faultproxy.OpDelete, 1)
	go func() { r.done <- s.EnsureDeleted(within(t, hang), r.paths[0]) }()
	must(t, r.first.Wait(within(t, hang)))
	for _, path := range r.paths[1:] {
		go func() { r.done <- s.EnsureDeleted(ctx, path) }()
	}
	await.Until(t, "queue of all others", func() bool { return s.QueuedRemovals() == n-1 }, func() any { return s.QueuedRemovals() })
	return r
}

// allGone demands that every removal has succeeded, and that nothing is left.
func (r *removing) allGone(t *testing.T) {
	t.Helper()
	for range r.paths {
		must(t, <-r.done)
	}
	r.nothingLeft(t)
}

func (r *removing) nothingLeft(t *testing.T) {
	t.Helper()
	must(t, r.s.Sync(within(t, hang), "/e"))
	names, _, err := r.s.Children(within(t, hang), "/e")
	must(t, err)
	if len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

func TestManyRemovalsAtOnceGoInTwoRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		r := removeMany(t, c, 300, within(t, hang))
		r.first.Release()
		r.allGone(t)
		sent := r.at.Counts().Requests
		if deletes, multis := sent[faultproxy.OpDelete].Frames, sent[faultproxy.OpMulti].Frames; deletes != 1 || multis != 1 {
			t.Errorf("%d deletes and %d multis; want one of each", deletes, multis)
		}
	})
}

func TestRemovalsTogetherSucceedThoughOneZnodeIsGoneAlready(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		r := removeMany(t, c, 5, within(t, hang))
		must(t, r.c.admin().Delete(r.c.chroot+r.paths[3], -1))
		r.first.Release()
		r.allGone(t)
	})
}

func TestRemovalsTogetherOutliveALostReply(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		r := removeMany(t, c, 5, within(t, hang))
		lost := r.at.LoseReply(faultproxy.OpMulti, 1)
		r.first.Release()
		r.allGone(t)
		must(t, lost.Wait(within(t, hang)))
	})
}

func TestAQueuedRemovalReturnsWithItsContextAndIsMadeAllTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		ctx, cancel := context.WithCancel(within(t, hang))
		r := removeMany(t, c, 5, ctx)
		cancel()
		for range r.paths[1:] {
			if err := <-r.done; !errors.Is(err, context.Canceled) || session.OutcomeOf(err) != session.OutcomeUnknown {
				t.Errorf("%v, outcome %v; want cancelled, unknown", err, session.OutcomeOf(err))
			}
		}
		r.first.Release()
		must(t, <-r.done)
		await.Until(t, "empty queue", func() bool { return r.s.QueuedRemovals() == 0 }, func() any { return r.s.QueuedRemovals() })
		must(t, r.s.EnsureDeleted(within(t, hang), "/e/none")) // after the others
		r.nothingLeft(t)
	})
}

func TestQueuedRemovalsEndWithTheSession(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		r := removeMany(t, c, 5, within(t, hang))
		r.s.Close()
		for range r.paths {
			if err := <-r.done; !errors.Is(err, session.ErrClosed) {
				t.Errorf("%v; want %v", err, session.ErrClosed)
			}
		}
	})
}
