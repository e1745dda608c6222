package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// held creates a znode of the session's own, holds the lease with it and waits for one.
func held(t testing.TB, s *session.Session) (*session.Hold, *session.Lease, chan struct{}) {
	t.Helper()
	path, err := s.CreateProtected(within(t, hang), "/election", "latch-", nil, nil)
	must(t, err)
	wake := make(chan struct{}, 1)
	h := s.Hold(path, wake)
	t.Cleanup(h.Release)
	for s.Lease() == nil {
		select {
		case <-wake:
		case <-time.After(hang):
			t.Fatal("no lease")
		}
	}
	return h, s.Lease(), wake
}

func TestALeaseIsHadWithTheFirstRenewalAndKept(t *testing.T) {
	c := proxied(t, three(t))
	ctx := within(t, hang)
	s := established(t, c.open(session.Config{Timeout: 2 * time.Second}))
	path, err := s.CreateProtected(ctx, "/election", "latch-", []byte("me"), nil)
	must(t, err)
	if s.Lease() != nil {
		t.Error("a lease without a renewal")
	}
	wake := make(chan struct{}, 1)
	h := s.Hold(path, wake)
	<-wake
	l := s.Lease()
	if l == nil {
		t.Fatal("woken without a lease")
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(s.Timeout() * 3 / 2); time.Now().Before(end); <-ticker.C {
		if !l.Valid() {
			t.Fatalf("the lease lapsed under a healthy ensemble\n%s", c.log)
		}
		if rest := l.Remaining(); rest > s.Timeout() {
			t.Fatalf("lease of %v with T = %v", rest, s.Timeout())
		}
	}
	h.Release()
	for l.Valid() {
		<-ticker.C
	}
	must(t, s.Remove(ctx, path))
	if _, _, err := s.Get(ctx, path); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("err = %v, want no node", err)
	}
}

func TestAHoldWhoseZnodeIsDeletedSaysSoAndTheOthersGoOn(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: 2 * time.Second}))
	_, l, _ := held(t, s)
	path, err := s.CreateProtected(within(t, hang), "/other", "latch-", nil, nil)
	must(t, err)
	wake := make(chan struct{}, 1)
	h := s.Hold(path, wake)
	must(t, c.admin().Delete(c.chroot+path, -1))
	for h.Err() == nil {
		select {
		case <-wake:
		case <-time.After(hang):
			t.Fatal("the hold has not noticed")
		}
	}
	if !errors.Is(h.Err(), zk.ErrNoNode) {
		t.Errorf("err = %v", h.Err())
	}
	if !l.Valid() {
		t.Error("the session's lease is gone, though the session and another znode are not")
	}
}
