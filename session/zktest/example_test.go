package zktest_test

import (
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// connect opens a client without its chatter.
func connect(servers []string, timeout time.Duration) *zk.Conn {
	conn, _, err := zk.Connect(servers, timeout, zk.WithLogInfo(false), zk.WithLogger(silent{}))
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

// In a test, zktest.Start(t) does the same in one line and closes the servers when the test ends.
func Example() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	conn := connect(e.Addrs(), 10*time.Second)
	defer conn.Close()
	path, err := conn.Create("/job-", []byte("data"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	fmt.Println(path, err)
	for _, n := range e.Nodes() {
		fmt.Println(n.Path, n.Stat.EphemeralOwner == conn.SessionID())
	}
	// Output:
	// /job-0000000000 <nil>
	// /job-0000000000 true
}

// A session ends while its client is connected: the client's ephemeral znodes go, and others are
// told.
func ExampleEnsemble_ExpireSession() {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	worker, watcher := connect(e.Addrs()[:1], 10*time.Second), connect(e.Addrs()[:1], 10*time.Second)
	defer worker.Close()
	defer watcher.Close()
	if _, err := worker.Create("/worker", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		log.Fatal(err)
	}
	_, _, gone, err := watcher.GetW("/worker")
	if err != nil {
		log.Fatal(err)
	}
	e.ExpireSession(worker.SessionID())
	fmt.Println((<-gone).Type)
	// Output: EventNodeDeleted
}

// A write is carried out, but its reply is lost: the client can not know.
func ExampleEnsemble_On() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	conn := connect(e.Addrs(), 10*time.Second)
	defer conn.Close()
	e.On(zktest.Match{Op: zktest.OpCreate, Nth: 1}, zktest.LoseReply)
	_, err = conn.Create("/x", nil, 0, zk.WorldACL(zk.PermAll))
	fmt.Println(err)
	fmt.Println("created all the same:", len(e.Nodes()) == 1)
	// Output:
	// zk: connection closed
	// created all the same: true
}

// A follower that is cut off from the others shows its clients old data. Here the leader has
// expired a session, and the follower still tells the client of that session that its znode exists.
func ExampleServer_Isolate() {
	expired := make(chan struct{})
	e, err := zktest.New(zktest.Config{Servers: 3, SyncLimit: 1000, OnCommit: func(c zktest.Commit) {
		if c.Op == zktest.OpCloseSession {
			close(expired)
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	follower := e.Followers()[0]
	conn := connect([]string{follower.Addr()}, 2*time.Second)
	defer conn.Close()
	if _, err := conn.Create("/leader", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		log.Fatal(err)
	}
	follower.Isolate()
	<-expired
	here, _, err := conn.Exists("/leader")
	fmt.Println("at the follower:", here, err)
	fmt.Println("at the leader:", len(e.Leader().Nodes()) == 1)
	// Output:
	// at the follower: true <nil>
	// at the leader: false
}
