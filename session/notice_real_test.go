package session_test

import (
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestNoticeOnRealServers(t *testing.T) {
	e := three(t)
	leaver := established(t, proxied(t, e).open(session.Config{Timeout: steady}))
	other := established(t, proxied(t, e).open(session.Config{Timeout: steady}))
	ctx := within(t, hang)
	dir := "/notices"
	must(t, leaver.EnsurePath(ctx, dir, nil))
	for _, given := range []bool{true, false, true} {
		path, err := leaver.CreatePlace(ctx, dir, "n-", nil, nil)
		must(t, err)
		_, err = other.QuorumSync(ctx, path)
		must(t, err)
		wake := make(chan struct{}, 1)
		w := other.Watch(path, wake)
		answered := w.AwaitNotice()
		_, _, err = w.Get(ctx)
		must(t, err)
		<-answered
		var ops []any
		if given {
			ops = leaver.Notice(path)
		}
		_, err = leaver.Multi(ctx, append(ops, &zk.DeleteRequest{Path: path, Version: -1})...)
		must(t, err)
		for !w.Deleted() {
			awaitWake(t, wake)
		}
		if w.Noticed() != given {
			t.Errorf("noticed: %v, want %v", w.Noticed(), given)
		}
		w.Stop()
	}
}
