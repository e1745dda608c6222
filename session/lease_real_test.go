package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestALeaseBeginsWithTheFirstBeatAndIsKept(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: steady, Lease: leased}))
	p, l := held(t, s)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(s.LeaseTime() * 5 / 4); time.Now().Before(end); <-ticker.C { // longer than without a beat
		if !l.Valid() {
			t.Fatalf("the lease lapsed under a healthy ensemble\n%s", c.log)
		}
		if rest := l.Remaining(); rest > s.LeaseTime() {
			t.Fatalf("lease of %v with D = %v", rest, s.LeaseTime())
		}
	}
	p.release()
	await.Until(t, "end of the lease", func() bool { return !l.Valid() })
	must(t, s.EnsureDeleted(within(t, hang), p.path))
	if _, _, err := s.Get(within(t, hang), p.path); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("err = %v, want no node", err)
	}
}

// The beat that follows the deletion checks the place, and is refused because of it.
func TestAPlaceThatIsDeletedGetsNoMoreOfTheLeaseAndTheOthersGoOn(t *testing.T) {
	c := proxied(t, three(t))
	s := established(t, c.open(session.Config{Timeout: steady, Lease: leased}))
	_, other := held(t, s)
	p := hold(t, s, "/other")
	l := p.lease(t)
	must(t, c.admin().Delete(c.chroot+p.path, -1))
	after := time.Now()
	await.Until(t, "end of the lease", func() bool {
		lasted := time.Since(after) // first, so that no delay of ours counts
		if l.Valid() && lasted > s.LeaseTime() {
			t.Fatalf("the lease has lasted %v after the deletion, D = %v", lasted, s.LeaseTime())
		}
		return !l.Valid()
	})
	if !p.own.Deleted() || p.hold.Lease() != nil {
		t.Error("the place is held without its znode")
	}
	if !other.Valid() {
		t.Error("the other place's lease is gone with it")
	}
}
