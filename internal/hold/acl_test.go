package hold

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"
)

// A follower answers a setACL when it has applied it. The leader may apply it later. Until then it
// checks writes by the former ACL: PrepRequestProcessor notes the new version of the ACL among the
// outstanding changes, and not the ACL itself. Tried on 3.8.0, 3.8.6 and 3.9.5.
func TestALeaderThatLagsChecksTheFormerACL(t *testing.T) {
	s := newFixture(t, "leader")
	owner, other := s.others[0], s.others[1]
	s.must(owner.AddAuth("digest", []byte("ann:secret")))
	_, err := owner.Create(s.node, nil, 0, zk.DigestACL(zk.PermAll, "ann", "secret"))
	s.must(err)
	held, err := s.vm.Hold(s.ctx, Commit)
	s.must(err)
	_, err = owner.SetACL(s.node, zk.WorldACL(zk.PermAll), -1)
	s.must(err)
	_, err = held.Wait(s.ctx)
	s.must(err)
	create := func() error {
		_, err := other.Create(s.node+"/child", nil, 0, zk.WorldACL(zk.PermAll))
		return err
	}
	if err := create(); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("while the leader lags, a create that is allowed gets %v; want %v", err, zk.ErrNoAuth)
	}
	s.must(held.Release(s.ctx))
	s.serves()
	s.must(create())
	s.must(other.Delete(s.node+"/child", -1)) // the servers are those of the next test, too
	s.must(owner.Delete(s.node, -1))
}
