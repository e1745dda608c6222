package session_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheChrootAppliesToEveryCallWatchAndMulti(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		c.chroot += "/deeper"
		s := established(t, c.open(session.Config{Timeout: steady}))
		ctx := within(t, hang)
		admin := c.admin()
		real := func(path string) bool {
			_, err := admin.Multi(&zk.CheckVersionRequest{Path: "/", Version: -1}) // it may be connected to a server that lags
			must(t, err)
			ok, _, err := admin.Exists(c.chroot + path)
			must(t, err)
			return ok
		}
		if err := s.Sync(ctx, "/"); err != nil {
			t.Errorf("sync before the chroot exists: %v", err)
		}
		must(t, s.EnsurePath(ctx, "/a/b", nil))
		if !real("/a/b") {
			t.Error("EnsurePath")
		}
		if p, err := s.Create(ctx, "/a/s-", nil, zk.FlagSequence, nil); err != nil || !strings.HasPrefix(p, "/a/s-0") || !real(p) {
			t.Errorf("Create: %q, %v", p, err)
		}
		if p, err := s.CreateProtected(ctx, "/a", "n-", nil, nil); err != nil || !strings.HasPrefix(p, "/a/_c_") || !real(p) {
			t.Errorf("CreateProtected: %q, %v", p, err)
		}
		if names, _, err := s.Children(ctx, "/"); err != nil || !slices.Contains(names, "a") {
			t.Errorf("Children of /: %v, %v", names, err)
		}
		if _, err := s.Set(ctx, "/a", []byte("x"), -1); err != nil {
			t.Errorf("Set: %v", err)
		}
		if data, _, err := s.Get(ctx, "/a"); err != nil || string(data) != "x" {
			t.Errorf("Get: %q, %v", data, err)
		}
		if _, ok, err := s.Exists(ctx, "/a/b"); err != nil || !ok {
			t.Errorf("Exists: %v, %v", ok, err)
		}
		if _, _, err := s.Exists(ctx, "/"); err != nil {
			t.Errorf("Exists of /: %v", err)
		}
		results, err := s.Multi(ctx,
			&zk.CheckVersionRequest{Path: "/a", Version: 1},
			&zk.CreateRequest{Path: "/m-", Flags: zk.FlagSequence},
			&zk.SetDataRequest{Path: "/a", Data: []byte("y"), Version: -1},
			&zk.DeleteRequest{Path: "/a/b", Version: -1})
		if err != nil || len(results) != 4 || !strings.HasPrefix(results[1].String, "/m-0") || !real(results[1].String) || real("/a/b") {
			t.Errorf("Multi: %+v, %v", results, err)
		}
		wake := make(chan struct{}, 1)
		w := s.Watch("/a", wake)
		defer w.Stop()
		_, _, err = w.Get(ctx)
		must(t, err)
		_, _, err = w.Children(ctx)
		must(t, err)
		_, err = admin.Set(c.chroot+"/a", []byte("z"), -1)
		must(t, err)
		select {
		case <-wake:
		case <-ctx.Done():
			t.Error("Watch: no event")
		}
		if err := s.Delete(ctx, results[1].String, -1); err != nil || real(results[1].String) {
			t.Errorf("Delete: %v", err)
		}
		_, _, err = s.Get(ctx, "/nothing")
		var of *session.Error
		if !errors.As(err, &of) || of.Path != "/nothing" || of.Op != "getData" {
			t.Errorf("the error tells %+v; want the path as the caller wrote it", of)
		}
	})
}

func TestBadPathsAreRefusedBeforeTheyCanLeaveTheChroot(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		s := established(t, c.open(session.Config{Timeout: steady}))
		ctx := within(t, hang)
		for _, path := range []string{"", "a", "a/b", "/a/", "//", "/a/../b", "/a\x00", "/" + strings.Repeat("x", 70<<10)} {
			w := s.Watch(path, make(chan struct{}, 1))
			_, _, watch := w.Get(ctx)
			w.Stop()
			_, _, get := s.Get(ctx, path)
			_, _, children := s.Children(ctx, path)
			_, _, exists := s.Exists(ctx, path)
			_, create := s.Create(ctx, path, nil, 0, nil)
			_, set := s.Set(ctx, path, nil, -1)
			_, protected := s.CreateProtected(ctx, path, "n-", nil, nil)
			_, multi := s.Multi(ctx, &zk.DeleteRequest{Path: path})
			for i, err := range []error{get, children, exists, create, set, multi, protected, watch,
				s.Delete(ctx, path, -1), s.EnsureDeleted(ctx, path), s.Sync(ctx, path), s.EnsurePath(ctx, path, nil)} {
				if !errors.Is(err, zk.ErrInvalidPath) || session.OutcomeOf(err) != session.OutcomeNotDone {
					t.Errorf("call %d with %.20q: %v", i, path, err)
				}
			}
		}
		if n, _ := c.at2().Counts().Total(); n.Frames > 5 {
			t.Errorf("%d requests were sent", n.Frames)
		}
	})
}

// at2 returns the first proxy that has a connection.
func (c *cluster) at2() *faultproxy.Proxy {
	for _, p := range c.proxies {
		if p.Connections() > 0 {
			return p
		}
	}
	c.t.Fatal("not connected")
	return nil
}

func TestARequestThatNoServerTakesIsNotSent(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		s := established(t, c.open(session.Config{Timeout: steady}))
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/a", nil))
		// From just above the largest request on.
		for n := 1<<20 - 100; n < 1<<20+5000; n += 1 + n%97 {
			_, err := s.Set(ctx, "/a", make([]byte, n), -1)
			if !errors.Is(err, session.ErrTooLarge) || session.OutcomeOf(err) != session.OutcomeNotDone {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		_, err := s.Multi(ctx, &zk.SetDataRequest{Path: "/a", Data: make([]byte, 1<<19)}, &zk.SetDataRequest{Path: "/a", Data: make([]byte, 1<<19)})
		if !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("multi: %v", err)
		}
		big := bytes.Repeat([]byte{7}, 1<<20-300)
		if _, err := s.Set(ctx, "/a", big, -1); err != nil {
			t.Errorf("nearly 1 MiB: %v", err)
		}
		if data, _, err := s.Get(ctx, "/a"); err != nil || !bytes.Equal(data, big) {
			t.Errorf("read back %d bytes, %v", len(data), err)
		}
	})
}

func TestEveryErrorOfAServerIsClassified(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		c.proxies = c.proxies[:1]
		p := c.proxies[0]
		s := established(t, c.open(session.Config{Timeout: steady}))
		must(t, s.EnsurePath(within(t, hang), "/a", nil))
		for code, want := range map[int32]struct {
			outcome session.Outcome
			is      error
			again   bool // a read is repeated
		}{
			-1:   {session.OutcomeUnknown, session.ServerError(-1), false},
			-4:   {session.OutcomeUnknown, session.ServerError(-4), true},
			-5:   {session.OutcomeUnknown, session.ServerError(-5), false},
			-6:   {session.OutcomeNotDone, session.ServerError(-6), false},
			-7:   {session.OutcomeUnknown, session.ServerError(-7), true},
			-8:   {session.OutcomeNotDone, zk.ErrBadArguments, false},
			-100: {session.OutcomeUnknown, zk.ErrAPIError, false},
			-101: {session.OutcomeNotDone, zk.ErrNoNode, false},
			-102: {session.OutcomeNotDone, zk.ErrNoAuth, false},
			-103: {session.OutcomeNotDone, zk.ErrBadVersion, false},
			-108: {session.OutcomeNotDone, zk.ErrNoChildrenForEphemerals, false},
			-110: {session.OutcomeNotDone, zk.ErrNodeExists, false},
			-111: {session.OutcomeNotDone, zk.ErrNotEmpty, false},
			-114: {session.OutcomeNotDone, zk.ErrInvalidACL, false},
			-118: {session.OutcomeNotDone, zk.ErrSessionMoved, true},
			-120: {session.OutcomeNotDone, session.ServerError(-120), false},
			-122: {session.OutcomeUnknown, session.ServerError(-122), true},
			-125: {session.OutcomeNotDone, session.ServerError(-125), false},
			-127: {session.OutcomeNotDone, session.ServerError(-127), true},
			-999: {session.OutcomeUnknown, session.ServerError(-999), false},
		} {
			p.FailReply(faultproxy.OpSetData, 1, code)
			_, err := s.Set(within(t, hang), "/a", nil, -1)
			if !errors.Is(err, want.is) || session.OutcomeOf(err) != want.outcome {
				t.Errorf("code %d: %v, outcome %v; want %v, %v", code, err, session.OutcomeOf(err), want.is, want.outcome)
			}
			p.FailReply(faultproxy.OpGetData, 1, code)
			if _, _, err := s.Get(within(t, hang), "/a"); (err == nil) != want.again {
				t.Errorf("code %d: a read returned %v; to be repeated: %v", code, err, want.again)
			}
		}
		if s.Err() != nil {
			t.Error(s.Err())
		}
		p.FailReply(faultproxy.OpSetData, 1, -112)
		if _, err := s.Set(within(t, hang), "/a", nil, -1); session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("expired: %v", err)
		}
		if err := over(t, s); !errors.Is(err, session.ErrExpired) {
			t.Errorf("the session ended with %v", err)
		}
	})
}

func TestCallsReturnWithTheirContext(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := established(t, client)
		hold := c.at(client).HoldReply(faultproxy.OpSync, 1)
		ctx, cancel := context.WithCancelCause(within(t, hang))
		why := errors.New("enough")
		done := make(chan error, 1)
		go func() { done <- s.Sync(ctx, "/") }()
		must(t, hold.Wait(within(t, hang)))
		cancel(why)
		if err := <-done; !errors.Is(err, why) || session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("sent: %v", err)
		}
		if err := s.Sync(ctx, "/"); !errors.Is(err, why) || session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("not sent: %v", err)
		}
		hold.Release()
	})
}

// While a server is silent, any number of calls may be given up. What they leave behind is bounded.
func TestAbandonedCallsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := established(t, client)
		hold := c.at(client).HoldReply(faultproxy.OpSync, 1)
		ctx, cancel := context.WithCancel(within(t, hang))
		first := make(chan error, 1)
		go func() { first <- s.Sync(ctx, "/") }()
		must(t, hold.Wait(within(t, hang)))
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		results := make(chan error, 3000)
		for range cap(results) {
			go func() { results <- s.Sync(short, "/") }()
		}
		notSent := 0
		for range cap(results) {
			if err := <-results; session.OutcomeOf(err) == session.OutcomeNotDone {
				notSent++
			}
		}
		if notSent < 2000 {
			t.Errorf("%d of 3000 calls were not sent; want 2000 or more", notSent)
		}
		cancel()
		<-first
		hold.Release()
		must(t, s.Sync(within(t, hang), "/"))
	})
}
