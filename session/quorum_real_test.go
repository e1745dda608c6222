package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// A leader whose followers are silent answers a sync. So does a deposed leader that does not know
// that it is deposed.
func TestOnServersALeaderThatIsAloneAnswersNoQuorumSync(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, SyncLimit: 60, MaxSessionTimeout: time.Minute}) // the leader takes long to find out
	leader, err := e.Leader(within(t, hang))
	must(t, err)
	s := established(t, open(t, leader.Addr(), session.Config{Timeout: time.Minute}))
	if there, err := s.QuorumSync(within(t, hang), "/"); !there || err != nil {
		t.Fatalf("QuorumSync: %v, %v", there, err)
	}
	var followers []*ensemble.Server
	for _, f := range e.Servers() {
		if f != leader {
			followers = append(followers, f)
		}
	}
	for _, f := range followers {
		must(t, f.Freeze())
		defer f.Thaw()
	}
	if err := s.Sync(within(t, hang), "/"); err != nil {
		t.Errorf("Sync: %v", err)
	}
	answered := make(chan error, 1)
	ctx, cancel := context.WithCancel(within(t, hang))
	defer cancel()
	go func() {
		_, err := s.QuorumSync(ctx, "/")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("QuorumSync was answered: %v", err)
	case <-time.After(time.Second): // no signal tells that an answer does not come
	}
	for _, f := range followers {
		must(t, f.Thaw())
	}
	if err := <-answered; err != nil {
		t.Errorf("QuorumSync with a quorum: %v", err)
	}
}

// A refused check is a transaction, too: it takes a zxid.
func TestOnServersAQuorumSyncNeedsNoPermission(t *testing.T) {
	e := three(t)
	s := established(t, open(t, e.ConnectString(), session.Config{Timeout: steady}))
	hidden := zk.DigestACL(zk.PermAll, "somebody", "else")
	_, err := s.Create(within(t, hang), "/quorum-hidden", nil, zk.FlagEphemeral, hidden)
	must(t, err)
	if _, _, err := s.Get(within(t, hang), "/quorum-hidden"); !errors.Is(err, zk.ErrNoAuth) {
		t.Fatalf("Get: %v", err)
	}
	latest := func() int64 {
		path, err := s.CreateProtected(within(t, hang), "/", "quorum-", nil, nil)
		must(t, err)
		stat, _, err := s.Exists(within(t, hang), path)
		must(t, err)
		return stat.Czxid
	}
	for path, want := range map[string]bool{"/": true, "/quorum-hidden": true, "/quorum-missing": false} {
		before := latest()
		if there, err := s.QuorumSync(within(t, hang), path); there != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", path, there, err, want)
		}
		if latest() < before+2 {
			t.Errorf("%s: it made no transaction", path)
		}
	}
}
