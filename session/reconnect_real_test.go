package session_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestASessionSurvivesTheDeathOfItsServer(t *testing.T) {
	e := three(t)
	c := proxied(t, e)
	const T = steady
	_, s := c.openVia(c.follower(), session.Config{Timeout: T})
	path, err := s.CreateProtected(within(t, hang), "/a", "latch-", nil, nil)
	must(t, err)
	for i := range 3 {
		mark := c.log.mark()
		server := e.Servers()[(c.follower()+i)%3]
		connected := c.proxies[server.ID()-1].Connections() > 0
		must(t, server.Kill())
		if connected {
			c.log.await(mark, "session connected")
		}
		if stat, ok, err := s.Exists(within(t, hang), path); err != nil || !ok || stat.EphemeralOwner != s.ID() {
			t.Fatalf("exists = %v, owner 0x%x, %v; want the session's own znode\n%s", ok, stat.EphemeralOwner, err, c.log)
		}
		must(t, server.Start(within(t, hang)))
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

func TestAWaitingSessionLeavesAFrozenFollowerInTime(t *testing.T) {
	e := three(t)
	c := proxied(t, e)
	const T = steady
	f := c.follower()
	_, s := c.openVia(f, session.Config{Timeout: T})
	mark := c.log.mark()
	begin := time.Now()
	must(t, e.Servers()[f].Freeze())
	defer e.Servers()[f].Thaw()
	back := c.log.await(mark, "session connected")
	if err := s.Sync(within(t, hang), "/"); err != nil || s.Err() != nil {
		t.Errorf("the session is lost: %v\n%s", err, c.log)
	}
	t.Logf("connected again %.2f T after the freeze", back.at.Sub(begin).Seconds()/T.Seconds())
}

func TestALeaseOutlivesAFrozenFollower(t *testing.T) {
	e := three(t)
	c := proxied(t, e)
	const T = steady
	f := c.follower()
	_, s := c.openVia(f, session.Config{Timeout: T, Lease: leased})
	_, l := held(t, s)
	mark := c.log.mark()
	begin := time.Now()
	must(t, e.Servers()[f].Freeze())
	defer e.Servers()[f].Thaw()
	back := c.log.await(mark, "session connected")
	t.Logf("connected again %.2f T after the freeze", back.at.Sub(begin).Seconds()/T.Seconds())
	keepsValid(t, c, s, l)
}

// keepsValid demands that the lease is valid now, and stays valid for longer than it runs without a
// beat.
func keepsValid(t *testing.T, c *cluster, s *session.Session, l *session.Lease) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(s.LeaseTime() * 5 / 4); time.Now().Before(end); <-ticker.C {
		if !l.Valid() {
			t.Fatalf("the lease has lapsed\n%s", c.log)
		}
	}
}

func TestALeaseOutlivesAPartitionInEitherDirection(t *testing.T) {
	for _, dir := range []faultproxy.Dir{faultproxy.ToServer, faultproxy.ToClient} {
		t.Run(dir.String(), func(t *testing.T) {
			c := proxied(t, three(t))
			client, s := c.openVia(0, session.Config{Timeout: steady, Lease: leased})
			_, l := held(t, s)
			mark := c.log.mark()
			c.at(client).Drop(dir, true)
			c.log.await(mark, "session connected")
			keepsValid(t, c, s, l)
		})
	}
}

// If an ensemble was restored from an old backup, it closes the connections of clients that have
// seen more than it has. Only a new session helps.
func TestAClientAheadOfARestoredEnsembleGetsANewSession(t *testing.T) {
	dir := t.TempDir()
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, Dir: dir})
	if e.External() {
		t.Skip("SKIP: the data of an external ensemble cannot be restored")
	}
	c := proxied(t, e)
	client := c.open(session.Config{Timeout: 4 * time.Second})
	s := established(t, client)
	must(t, s.EnsurePath(within(t, hang), "/a/b/c", nil))
	must(t, e.Servers()[0].Kill())
	forget(t, dir)
	must(t, e.Servers()[0].Start(within(t, hang)))
	if err := over(t, s); !errors.Is(err, session.ErrPresumedLost) && !errors.Is(err, session.ErrExpired) {
		t.Errorf("the session ended with %v", err)
	}
	next := established(t, client)
	if _, _, err := next.Get(within(t, hang), "/a"); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("err = %v; is this the restored ensemble?", err)
	}
}

// forget deletes what a server has stored.
func forget(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "server1", "data", "version-2"))
	if err != nil || len(found) != 1 {
		t.Fatalf("data at %v, %v", found, err)
	}
	must(t, os.RemoveAll(found[0]))
}
