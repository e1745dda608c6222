package stage

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
)

// RawConn is a connection of zk itself, to any server if none is given.
func RawConn(t testing.TB, e Servers, addrs ...string) *zk.Conn {
	t.Helper()
	if len(addrs) == 0 {
		addrs = e.Addrs()
	}
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		return e.Dial(ctx, network, address)
	}
	conn, _, err := zk.Connect(addrs, 10*time.Second, zk.WithLogger(silent{}), zk.WithDialer(dial))
	Must(t, err)
	t.Cleanup(conn.Close)
	return conn
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// SetACL changes a znode's ACL behind its owner's back, and waits until each server has applied
// that. Before, the leader may check writes by the former ACL, see package hold.
func SetACL(t testing.TB, e Servers, path string, acl []zk.ACL, as ...session.Auth) {
	t.Helper()
	var conns []*zk.Conn
	for _, addr := range e.Addrs() {
		conn := RawConn(t, e, addr)
		for _, a := range as {
			Must(t, conn.AddAuth(a.Scheme, []byte(a.Credential)))
		}
		conns = append(conns, conn)
	}
	_, err := conns[0].SetACL(path, acl, -1)
	Must(t, err)
	for _, conn := range conns {
		await.Until(t, "ACL of "+path, func() bool {
			got, _, err := conn.GetACL(path)
			return errors.Is(err, zk.ErrNoAuth) || err == nil && slices.Equal(got, acl)
		})
	}
}
