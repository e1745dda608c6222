package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestCredentialsSurviveReconnectsAndLostReplies(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		// The first handshake of all loses the reply to its credential.
		var lost []*faultproxy.Fault
		c.all(func(p *faultproxy.Proxy) { lost = append(lost, p.LoseReply(faultproxy.OpAuth, 1)) })
		client := c.open(session.Config{Timeout: 8 * time.Second, Auth: []session.Auth{session.Digest("u", "secret")}})
		s := c.established(client)
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/own/x", nil))
		for range 5 {
			c.reconnect(c.at(client))
			if _, _, err := s.Get(ctx, "/own/x"); err != nil {
				t.Fatalf("after a reconnect: %v\n%s", err, c.log)
			}
		}
		struck := 0
		for _, l := range lost {
			select {
			case <-l.Done():
				struck++
			default:
			}
		}
		if struck == 0 {
			t.Error("no reply was lost")
		}
		acl, _, err := c.admin().GetACL(c.chroot + "/own/x")
		if err == nil && (len(acl) != 1 || acl[0].Scheme != "digest" || acl[0].Perms != zk.PermAll) {
			t.Errorf("ACL %+v; want all for the creator alone", acl)
		}
		if strings.Contains(c.log.String(), "secret") {
			t.Error("the password is in the log")
		}
	})
}

func TestAnIntruderIsRefusedWithATypedError(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		owner := established(t, c.open(session.Config{Timeout: 8 * time.Second, Auth: []session.Auth{session.Digest("u", "right")}}))
		ctx := within(t, hang)
		path, err := owner.CreateProtected(ctx, "/election", "latch-", nil, nil)
		must(t, err)
		for name, auth := range map[string][]session.Auth{"nobody": nil, "another": {session.Digest("u", "wrong")}} {
			s := established(t, c.open(session.Config{Timeout: 8 * time.Second, Auth: auth}))
			_, _, get := s.Get(ctx, path)
			_, _, list := s.Children(ctx, "/election")
			_, set := s.Set(ctx, path, nil, -1)
			_, join := s.CreateProtected(ctx, "/election", "latch-", nil, nil)
			_, multi := s.Multi(ctx, &zk.DeleteRequest{Path: path, Version: -1})
			for what, err := range map[string]error{
				"read": get, "list": list, "write": set, "join": join, "delete in a multi": multi,
				"delete": s.Delete(ctx, path, -1), "remove": s.EnsureDeleted(ctx, path),
			} {
				if !errors.Is(err, zk.ErrNoAuth) || session.OutcomeOf(err) != session.OutcomeNotDone {
					t.Errorf("%s may %s: %v", name, what, err)
				}
			}
		}
		if _, ok, err := owner.Exists(ctx, path); err != nil || !ok {
			t.Errorf("the owner's znode: %v, %v", ok, err)
		}
	})
}

func TestARejectedCredentialClosesTheClient(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: 2 * time.Second, Auth: []session.Auth{{Scheme: "nonsense", Credential: "x"}}})
		<-client.Context().Done()
		_, err := client.Session(within(t, hang))
		if !errors.Is(err, session.ErrAuthFailed) {
			t.Errorf("err = %v", err)
		}
		if err := client.Status().Err; !errors.Is(err, session.ErrAuthFailed) {
			t.Errorf("status says %v", err)
		}
	})
}
