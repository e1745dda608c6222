package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// slowQuorum delays the followers' acknowledgements, so that proposals pile up at the leader.
func slowQuorum(b *bench, d time.Duration) {
	for _, f := range b.e.Followers() {
		b.e.Link(f, b.e.Leader()).Delay(d)
	}
}

func TestTheLeaderDecidesOnWhatIsNotYetCommitted(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		l := b.leader()
		a, c := b.on("a", l), b.on("c", l)
		a.create("/p", nil, 0)
		slowQuorum(b, time.Second)
		start := time.Now()
		a1 := a.post(1, "/p/x", []byte{}, open, 0)
		c1 := c.post(1, "/p/x", []byte{}, open, 0)
		c2 := c.post(1, "/p/s-", []byte{}, open, 2)
		a2 := a.post(5, "/p/x", []byte("1"), 0)
		c3 := c.post(5, "/p/x", []byte("2"), 0)
		a3 := a.post(2, "/p", -1)
		if got := paths(b.e.Nodes()); got != "/p" {
			t.Errorf("applied before it was acknowledged: %s", got)
		}
		a.await(a1, 1, "create")
		b.want("err=0")
		c.await(c1, 1, "create of the same path")
		b.want("err=-110")
		c.await(c2, 1, "sequential create")
		b.want(`path="/p/s-0000000001"`)
		a.await(a2, 5, "setData of version 0")
		b.want("err=0")
		c.await(c3, 5, "setData of version 0 again")
		b.want("err=-103")
		a.await(a3, 2, "delete of the parent")
		b.want("err=-111")
		if d := time.Since(start); d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("took %v, want one delay: proposals do not wait for each other", d)
		}
	})
}

func TestAFailedMultiLeavesNoTraceInWhatIsNotYetCommitted(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a := b.on("a", b.leader())
		a.create("/p", nil, 0)
		slowQuorum(b, time.Second)
		for range 3 {
			a.post(1, "/p/s-", []byte{}, open, 2)
		}
		m := a.post(14, 1, false, -1, "/p/s-", []byte{}, open, 2, 2, false, -1, "/p/s-0000000001", -1,
			13, false, -1, "/nowhere", -1, -1, true, -1)
		last := a.post(1, "/p/s-", []byte{}, open, 2)
		del := a.post(2, "/p/s-0000000001", -1)
		a.await(2, 1, "first")
		a.await(3, 1, "second")
		a.await(4, 1, "third")
		a.await(m, 14, "multi")
		b.want("op=-1 err=-101")
		a.await(last, 1, "create")
		b.want(`path="/p/s-0000000003"`)
		a.await(del, 2, "delete")
		b.want("err=0")
	})
}

func TestClosingASessionTakesWhatItsCreatesStillPropose(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		a, c := b.on("a", b.leader()), b.on("c", b.leader())
		a.create("/old", nil, 1)
		a.create("/gone", nil, 1)
		slowQuorum(b, time.Second)
		c.post(2, "/gone", -1)
		a.post(1, "/new", []byte{}, open, 1)
		a.post(-11)
		a.await(3, 1, "create")
		b.want("err=0")
		a.await(4, -11, "closes the session")
		b.want("err=0")
		if got := paths(b.e.Nodes()); got != "" {
			t.Errorf("left behind: %s", got)
		}
	})
}

func TestASyncWaitsForWhatWasProposedBeforeIt(t *testing.T) {
	inBubble(t, three, func(t *testing.T, b *bench) {
		f := b.follower()
		a, c := b.on("a", b.leader()), b.on("c", f)
		slowQuorum(b, time.Second)
		// c's sync takes as long to the leader as the acknowledgements do, so it must find a
		// proposal that is younger than they are.
		sync := c.post(9, "/")
		<-time.After(500 * time.Millisecond)
		a.post(1, "/x", []byte{}, open, 0)
		c.await(sync, 9, "sync")
		c.exists("/x", false)
		b.want("err=0")
		// Behind an own write it keeps its place.
		create := c.post(1, "/y", []byte{}, open, 0)
		sync = c.post(9, "/y")
		read := c.post(3, "/y", false)
		c.await(create, 1, "create")
		c.await(sync, 9, "sync")
		c.await(read, 3, "exists")
		b.want("err=0")
	})
}

func TestRequestsAreShownBeforeFaults(t *testing.T) {
	var seen []zktest.Request
	cfg := zktest.Config{OnRequest: func(r zktest.Request) { seen = append(seen, r) }}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		b.e.On(zktest.Match{Op: zktest.OpCreate}, zktest.DropRequest)
		a := b.on("a", 1)
		a.post(1, "/x", []byte{}, open, 0)
		a.transact(mkCheck("/zookeeper", -1))
		a.auth("joe:secret")
		id := a.session
		var got []zktest.Op
		for _, r := range seen {
			got = append(got, r.Op)
			if r.Host != "a" || r.Server != 1 || r.Bytes == 0 || r.Op != zktest.OpConnect && r.Session != id {
				t.Errorf("request %+v", r)
			}
		}
		want := []zktest.Op{zktest.OpConnect, zktest.OpCreate, zktest.OpMulti, zktest.OpAuth}
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("requests %v, want %v", got, want)
			}
		}
		if seen[1].Path != "/x" || seen[2].Path != "/zookeeper" {
			t.Errorf("paths %q and %q", seen[1].Path, seen[2].Path)
		}
		n := b.e.Counts()
		if n.Requests[zktest.OpCreate] != 1 || n.BytesIn == 0 || n.BytesOut == 0 || n.Commits != 2 {
			t.Errorf("counts %+v", n)
		}
	})
}

func TestImpossibleConfigsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		cfg  zktest.Config
		want string
	}{
		{zktest.Config{Servers: -1}, "Servers = -1, want 1 to 100"},
		{zktest.Config{Servers: 1000}, "Servers = 1000, want 1 to 100"},
		{zktest.Config{Tick: time.Millisecond}, "Tick = 1ms, want at least 2ms"},
		{zktest.Config{Tick: -time.Second}, "Tick = -1s, want at least 2ms"},
		{zktest.Config{MinSessionTimeout: time.Hour}, "MaxSessionTimeout = 2s, want at least 1h0m0s"},
		{zktest.Config{MinSessionTimeout: -1}, "MinSessionTimeout = -1ns, want at least 1ns"},
		{zktest.Config{Latency: -1}, "Latency = -1ns, want at least 0s"},
		{zktest.Config{Jitter: -1}, "Jitter = -1ns, want at least 0s"},
		{zktest.Config{Release: "3.9.3"}, `Release = "3.9.3", want one of ["3.5.10" "3.8.0" "3.9.5"]`},
		{zktest.Config{InitLimit: -1}, "InitLimit = -1 ticks, want at least 1"},
		{zktest.Config{SyncLimit: -1}, "SyncLimit = -1 ticks, want at least 1"},
		{zktest.Config{ElectionTime: -1}, "ElectionTime = -1ns, want at least 1ns"},
		{zktest.Config{ContainerCheck: -1}, "ContainerCheck = -1ns, want at least 1ns"},
	} {
		e, err := zktest.New(c.cfg)
		if err == nil {
			e.Close()
		}
		if err == nil || err.Error() != "zktest: "+c.want {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
}

func TestWhatTheEnsembleDoesNotHaveIsNamed(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3})
	for want, f := range map[string]func(){
		"zktest: Server(7): the ensemble's servers have the ids 1 to 3": func() { e.Server(7) },
		"zktest: Server(0): the ensemble's servers have the ids 1 to 3": func() { e.Server(0) },
		"zktest: Link: server 2 has no link to itself":                  func() { e.Link(e.Server(2), e.Server(2)) },
		"zktest: SetLatency(0s, -1ns): want at least 0":                 func() { e.SetLatency(0, -1) },
	} {
		func() {
			defer func() {
				if v := recover(); v != want {
					t.Errorf("%v; want %s", v, want)
				}
			}()
			f()
		}()
	}
}

func TestOperationsHaveNames(t *testing.T) {
	for op, want := range map[zktest.Op]string{zktest.OpMulti: "multi", zktest.OpConnect: "connect", 99: "op(99)"} {
		if got := op.String(); got != want {
			t.Errorf("%d is %q, want %q", op, got, want)
		}
	}
}
