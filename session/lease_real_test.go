package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestALeaseIsHadWithTheFirstBeatAndKept(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: 2 * time.Second}))
	p, l := held(t, s)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(3 * s.LeaseTime()); time.Now().Before(end); <-ticker.C {
		if !l.Valid() {
			t.Fatalf("the lease lapsed under a healthy ensemble\n%s", c.log)
		}
		if rest := l.Remaining(); rest > s.LeaseTime() {
			t.Fatalf("lease of %v with D = %v", rest, s.LeaseTime())
		}
	}
	p.release()
	for l.Valid() {
		<-ticker.C
	}
	must(t, s.Remove(within(t, hang), p.path))
	if _, _, err := s.Get(within(t, hang), p.path); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("err = %v, want no node", err)
	}
}

// A server tells of the deletion before it answers any later beat, so that no beat is taken
// for a sign that the znode was still there.
func TestAPlaceThatIsDeletedGetsNoMoreOfTheLeaseAndTheOthersGoOn(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: 2 * time.Second}))
	_, other := held(t, s)
	p := hold(t, s, "/other")
	l := p.lease(t)
	must(t, c.admin().Delete(c.chroot+p.path, -1))
	after := time.Now()
	for l.Valid() {
		time.Sleep(time.Millisecond)
	}
	if lasted := time.Since(after); lasted > s.LeaseTime() {
		t.Errorf("the lease lasted %v after the deletion, D = %v", lasted, s.LeaseTime())
	}
	if !p.own.Deleted() || p.hold.Lease() != nil {
		t.Error("the place is held without its znode")
	}
	if !other.Valid() {
		t.Error("the other place's lease is gone with it")
	}
}
