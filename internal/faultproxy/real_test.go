package faultproxy

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

type silence struct{}

func (silence) Printf(string, ...any) {}

// The fake server has this package's view of the protocol. Here a real client and a real server
// show theirs.
func TestRealClientAndServerAreUnderstood(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1})
	p, err := New(e.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	frames := record(p)
	c, _, err := zk.Connect([]string{p.Addr()}, 10*time.Second, zk.WithLogger(silence{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if f := await(t, frames, ToClient, OpConnect); f.Session == 0 || f.Timeout != 10*time.Second {
		t.Errorf("connect response %+v", f)
	}

	failed := p.FailReply(OpExists, 1, -101)
	if ok, _, err := c.Exists("/"); ok || err != nil {
		t.Errorf("exists with a made-up NoNode: %v, %v", ok, err)
	}
	wait(t, failed)

	lost := p.LoseReply(OpCreate, 1)
	if _, err := c.Create("/a", nil, 0, zk.WorldACL(zk.PermAll)); err == nil {
		t.Error("the create whose reply was lost succeeded")
	}
	wait(t, lost)
	_, _, gone, err := c.GetW("/a")
	for errors.Is(err, zk.ErrNoServer) { // zk says so of requests that it gets between two connections
		_, _, gone, err = c.GetW("/a")
	}
	if err != nil {
		t.Fatalf("the create whose reply was lost did not happen: %v", err)
	}
	await(t, frames, ToClient, OpGetData)

	if _, err := c.Multi(&zk.CheckVersionRequest{Path: "/a", Version: -1}, &zk.DeleteRequest{Path: "/a", Version: -1}); err != nil {
		t.Fatal(err)
	}
	if f := await(t, frames, ToServer, OpMulti); f.First != OpCheck || f.Path != "/a" {
		t.Errorf("multi %+v", f)
	}
	if f := await(t, frames, ToClient, OpEvent); f.Path != "/a" || f.Event != int32(zk.EventNodeDeleted) {
		t.Errorf("event %+v", f)
	}
	<-gone

	if _, _, _, err := c.ExistsW("/b"); err != nil {
		t.Fatal(err)
	}
	p.Cut(true)
	if f := await(t, frames, ToServer, OpSetWatches); f.Xid == 0 {
		t.Errorf("setWatches %+v", f)
	}
	await(t, frames, ToClient, OpSetWatches)
	await(t, frames, ToServer, OpPing)
	await(t, frames, ToClient, OpPing)

	expired := p.FailReply(OpConnect, 1, 0)
	p.Cut(false)
	wait(t, expired)
	await(t, frames, ToClient, OpConnect) // the made-up answer
	if f := await(t, frames, ToServer, OpConnect); f.Session != 0 {
		t.Errorf("after its expiry the client asks for session %d, want a new one", f.Session)
	}
}
