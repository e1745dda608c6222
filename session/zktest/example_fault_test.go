package zktest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The tests in this file show the faults, in fake time. Each uses one client.

// client connects from a host to the servers.
func client(t *testing.T, host *zktest.Host, servers string) *session.Session {
	t.Helper()
	c, err := session.Open(servers, session.Config{Dial: host.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// set writes, creating the znode when it is missing, and returns how long that took.
func set(t *testing.T, s *session.Session, data string) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := s.EnsurePath(t.Context(), "/x", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Set(t.Context(), "/x", []byte(data), -1); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun)
}

// A network between client and servers that is slow, then swallows the requests of one connection,
// then everything.
func TestANetworkWithFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		host := e.Host("a")
		s := client(t, host, e.ConnectString())
		set(t, s, "")

		host.Delay(50*time.Millisecond, zktest.ToServer)
		if took := set(t, s, "slow"); took < 100*time.Millisecond {
			t.Errorf("two requests took %v", took)
		}
		host.Heal()

		conn := e.ConnOf(s.ID()) // this connection alone
		conn.Delay(10*time.Millisecond, zktest.ToClient)
		conn.Drop(zktest.ToServer)
		if _, _, err := s.Get(t.Context(), "/x"); err != nil { // repeated until it is answered
			t.Errorf("Get: %v", err)
		}
		if e.ConnOf(s.ID()) == conn {
			t.Errorf("the client has not moved to another connection: %v", e.Conns())
		}
		conn.Heal() // it is closed: nothing changes

		host.Drop() // both ways, for longer than a session lives
		<-s.Done()
		host.Heal()
		if !errors.Is(s.Err(), session.ErrPresumedLost) {
			t.Errorf("the session's end: %v", s.Err())
		}
	})
}

// Servers that are frozen, slow, killed and started again. A session goes on.
func TestServersWithFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		s := client(t, e.Host("a"), e.ConnectString())
		set(t, s, "1")
		for _, server := range e.Servers() {
			server.Freeze()
			set(t, s, "2")
			server.Thaw()
			server.Slow(20 * time.Millisecond)
			set(t, s, "3")
			server.Slow(0)
			server.Kill()
			set(t, s, "4")
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			for len(e.Followers()) < 2 || server.Zxid() < e.Leader().Zxid() {
				time.Sleep(100 * time.Millisecond)
			}
		}
		if s.Err() != nil {
			t.Errorf("the session is over: %v", s.Err())
		}
	})
}

// A leader of the ensemble that does not hear one follower's answers needs the other's, which is
// far away.
func TestALinkWithFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		s := client(t, e.Host("a"), e.Leader().Addr())
		near, far := e.Followers()[0], e.Followers()[1]
		deaf, long := e.Link(near, e.Leader()), e.Link(far, e.Leader())
		deaf.Lose(zktest.PacketAck) // Hold would stop everything
		long.Delay(40 * time.Millisecond)
		if took := set(t, s, ""); took < 80*time.Millisecond {
			t.Errorf("two writes took %v, less than the way to the far follower", took)
		}
		deaf.Heal()
		long.Heal()
	})
}

// A write whose answer was lost is carried out after a later one: the server that has read it keeps
// it while it goes over to another leader.
func TestAServerThatHoldsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		server := e.Followers()[0]
		s := client(t, e.Host("a"), server.Addr())
		set(t, s, "")
		server.HoldRequests()
		first := make(chan error)
		go func() {
			_, err := s.Set(t.Context(), "/x", []byte("first"), -1)
			first <- err
		}()
		synctest.Wait()
		e.Leader().Kill()
		if err := <-first; session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("Set: %v", err)
		}
		set(t, s, "second")
		server.ReleaseRequests()
		if data, _, err := s.Get(t.Context(), "/x"); string(data) != "first" || err != nil {
			t.Errorf("after the second write: %q, %v", data, err)
		}
	})
}

// Requests that fail, chosen by what they are. What the client does about them is seen in what
// arrives and in what is committed.
func TestARuleForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, changed atomic.Int32
		e := zktest.Start(t, zktest.Config{
			Servers: 3, InMemory: true,
			OnRequest: func(r zktest.Request) {
				if r.Op == zktest.OpSetData {
					asked.Add(1)
				}
			},
			OnCommit: func(c zktest.Commit) {
				for _, change := range c.Changes {
					if change.Op == zktest.OpSetData {
						changed.Add(1)
					}
				}
			},
		})
		s := client(t, e.Host("a"), e.ConnectString())
		set(t, s, "1")
		rule := e.On(zktest.Match{Op: zktest.OpSetData, Path: "/x"}, zktest.Fail(zktest.CodeNoAuth))
		_, err := s.Set(t.Context(), "/x", nil, -1)
		if !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("Set: %v", err)
		}
		<-rule.Fired()
		if rule.Hits() != 1 {
			t.Errorf("%d hits", rule.Hits())
		}
		rule.Remove()
		set(t, s, "2")
		if asked.Load() != 3 || changed.Load() != 2 || e.Counts().Requests[zktest.OpSetData] != 3 {
			t.Errorf("asked %d times, changed %d times", asked.Load(), changed.Load())
		}
	})
}

// Watches that a client has left, and the ends of the ranges of sequence numbers and versions.
func TestLookingAtWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		s := client(t, e.Host("a"), e.ConnectString())
		set(t, s, "")
		w := s.Watch("/x", make(chan struct{}, 1))
		if _, _, err := w.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if watches := e.Watches(); len(watches) != 1 || watches[0].Session != s.ID() || watches[0].Path != "/x" {
			t.Errorf("watches: %v", watches)
		}
		e.StartSequence("/x", 2147483647)
		for _, want := range []string{"/x/-2147483647", "/x/b-2147483647"} {
			name := want[:len(want)-10]
			if path, err := s.Create(t.Context(), name, nil, zk.FlagSequence, nil); path != want || err != nil {
				t.Errorf("created %s, %v; want %s", path, err, want)
			}
		}
		e.SetVersion("/x", 2147483647)
		if stat, err := s.Set(t.Context(), "/x", nil, 2147483647); stat.Version != -2147483648 || err != nil {
			t.Errorf("version %d, %v; it wraps", stat.Version, err)
		}
	})
}

// A server whose configuration differs from the others' grants another timeout; a late ping loop of
// the leader lets sessions live longer than they should.
func TestAServerConfiguredOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		server := e.Followers()[0]
		server.SetSessionLimits(4*time.Second, 6*time.Second)
		s := client(t, e.Host("a"), server.Addr()) // asks for 10 s
		if s.Timeout() != 6*time.Second {
			t.Errorf("granted %v", s.Timeout())
		}
		e.Leader().DelayPings(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		<-ctx.Done()
		if s.Err() != nil {
			t.Errorf("the session is over: %v", s.Err())
		}
	})
}

// A rolling upgrade: one server after another. The session survives it, on servers of both
// releases.
func TestAnUpgradeOfTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Release: zktest.Release3510})
		s := client(t, e.Host("a"), e.ConnectString())
		for _, server := range e.Servers() {
			server.Kill()
			server.SetRelease(zktest.Release395)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			set(t, s, "1")
		}
		if s.Err() != nil {
			t.Errorf("the session is over: %v", s.Err())
		}
	})
}
