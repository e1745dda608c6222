package zktest_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestSmoke(t *testing.T) {
	for _, n := range []int{1, 3} {
		e := zktest.Start(t, zktest.Config{Servers: n})
		c, _, err := zk.Connect(e.Addrs(), time.Second, zk.WithLogInfo(false))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Create("/a", []byte("x"), 0, zk.WorldACL(zk.PermAll))
		t.Log(p, err)
		p, err = c.Create("/a/b-", []byte("x"), 3, zk.WorldACL(zk.PermAll))
		t.Log(p, err)
		d, st, ch, err := c.GetW(p)
		t.Log(string(d), st, err)
		kids, _, err := c.Children("/a")
		t.Log(kids, err)
		_, err = c.Multi(&zk.CheckVersionRequest{Path: p, Version: -1})
		t.Log(err)
		_, err = c.Sync("/a")
		t.Log(err)
		t.Log(e.Sessions(), e.Watches(), e.Nodes())
		e.ExpireSession(c.SessionID())
		t.Log(<-ch)
		c.Close()
		t.Log(e.Counts())
	}
}
