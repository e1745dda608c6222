package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// admin returns a plain connection.
func admin(t *testing.T, addrs ...string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect(addrs, 20*time.Second, zk.WithLogger(silence{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

type silence struct{}

func (silence) Printf(string, ...any) {}

// The leader's server is taken out of the ensemble, and the client goes to another.
func TestReconfigTakesServersAway(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 5, JVM: []string{"-Dzookeeper.skipACL=yes"}, Properties: map[string]string{
		"reconfigEnabled": "true", "standaloneEnabled": "false"}})
	term := campaign(t, e.ConnectString(), "/reconfig", patient)
	conn := admin(t, e.Addrs()...)
	for _, id := range []string{"5", "4"} {
		takeAway(t, conn, id)
	}
	if err := term.Release(within(t)); err != nil {
		t.Errorf("%v", err)
	}
	elect(t, "/reconfig", patient, e.ConnectString(), e.Servers()[0].Addr())
}

// takeAway takes a server out of the configuration. The connection may be to that very server,
// which closes it.
func takeAway(t *testing.T, conn *zk.Conn, id string) {
	t.Helper()
	for ctx := within(t); ; {
		_, err := conn.IncrementalReconfig(nil, []string{id}, -1)
		data, _, errGet := conn.Get("/zookeeper/config")
		switch {
		case errGet == nil && !strings.Contains(string(data), "server."+id+"="):
			return
		case ctx.Err() != nil:
			t.Fatalf("taking server %s away: %v; the configuration is %q, %v", id, err, data, errGet)
		}
	}
}

// With enforced authentication, a candidate that presents no credential is told so, and does not
// try again.
func TestEnforcedAuthentication(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 3, JVM: []string{
		"-Dzookeeper.enforce.auth.enabled=true", "-Dzookeeper.enforce.auth.schemes=digest"}})
	cfg := patient
	cfg.Auth = []session.Auth{session.Digest("billing", "secret")}
	elect(t, "/auth", cfg, e.ConnectString(), e.ConnectString())

	nobody, err := election.New(open(t, e.ConnectString(), patient), "/auth", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = nobody.Campaign(within(t))
	var permanent *recipe.PermanentError
	if !errors.As(err, &permanent) || !errors.Is(err, session.ServerError(-124)) || !strings.Contains(err.Error(), "Config.Auth") {
		t.Errorf("without a credential: %v; want that for good, and what to set", err)
	}
}

// A candidate that a quota has no room for is told so, and those before it are not disturbed.
func TestAQuotaIsKept(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 3, Properties: map[string]string{"enforceQuota": "true"}})
	elect(t, "/quota", patient, e.ConnectString(), e.ConnectString())
	conn := admin(t, e.Addrs()...)
	for _, path := range []string{"/zookeeper/quota/quota", "/zookeeper/quota/quota/zookeeper_limits", "/zookeeper/quota/quota/zookeeper_stats"} {
		data := "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2" // the path itself counts
		if strings.HasSuffix(path, "stats") {
			data = "count=1,bytes=0"
		}
		if _, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	term := campaign(t, e.ConnectString(), "/quota", patient)
	second, err := election.New(open(t, e.ConnectString(), patient), "/quota", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	stop := second.Subscribe(func(ev election.Event) {
		if beyondQuota(ev.Err) { // on a busy machine there may be other errors before
			select {
			case told <- ev.Err:
			default:
			}
		}
	})
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := second.Campaign(within(t))
		ended <- err
	}()
	select {
	case err = <-ended:
	case err = <-told:
	}
	if !beyondQuota(err) {
		t.Errorf("beyond the quota: %v; want that the quota is exceeded", err)
	}
	if !term.Valid() {
		t.Error("the leader's term has ended")
	}
	if err := term.Release(within(t)); err != nil {
		t.Error(err)
	}
}

func beyondQuota(err error) bool { return err != nil && strings.Contains(err.Error(), "error -125") }

func TestLocalSessions(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 3, Properties: map[string]string{
		"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}})
	for _, addr := range e.Addrs() {
		elect(t, "/local", patient, addr, e.ConnectString())
	}
}

// A server that has no quorum and answers reads all the same has no leader of ours.
func TestReadOnlyMode(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 3, SyncLimit: 4, JVM: []string{"-Dreadonlymode.enabled=true"}})
	rest := e.Servers()[0]
	term := campaign(t, e.ConnectString(), "/readonly", patient)
	for _, s := range e.Servers()[1:] {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-term.Context().Done():
	case <-within(t).Done():
		t.Fatal("a term goes on without a quorum")
	}
	<-time.After(time.Until(term.Deadline())) // its context ends before it
	if term.Valid() {
		t.Error("the term is valid without a quorum")
	}
	ctx := within(t)
	for mode := ""; mode != "read-only"; mode, _ = rest.Mode(ctx) {
		if ctx.Err() != nil {
			t.Fatal("the server does not become read-only")
		}
		<-time.After(50 * time.Millisecond) // nothing tells when it is
	}
	other := open(t, rest.Addr(), patient)
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if s, err := other.Session(short); err == nil {
		t.Errorf("a session 0x%x at a server that is read-only", s.ID())
	} else {
		t.Logf("read-only: %v", err)
	}
	if err := e.Heal(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := term.Release(within(t)); err != nil && !errors.Is(err, zk.ErrNoNode) {
		t.Logf("the old term: %v", err)
	}
	elect(t, "/readonly", patient, e.ConnectString(), e.ConnectString())
}
