package session_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

const jaas = `Server {
	org.apache.zookeeper.server.auth.DigestLoginModule required
	user_ann="ann's secret"
	user_bob="bob's";
};
`

// withJAAS starts servers that know ann and bob. more are arguments for java.
func withJAAS(t *testing.T, more ...string) *ensemble.Ensemble {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jaas.conf")
	must(t, os.WriteFile(file, []byte(jaas), 0o600))
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, JVM: append([]string{
		"-Djava.security.auth.login.config=" + file,
		"-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
	}, more...)})
	if e.External() {
		t.Skip("SKIP: the configuration of an external ensemble is not ours")
	}
	return e
}

func TestAUserOfTheServersIsAuthenticatedAgainAtEachReconnect(t *testing.T) {
	c := proxied(t, withJAAS(t))
	client := c.open(session.Config{Timeout: 8 * time.Second, SASL: session.SASLDigest("ann", "ann's secret")})
	s := c.established(client)
	ctx := within(t, hang)
	must(t, s.EnsurePath(ctx, "/own", nil))
	for range 5 {
		c.reconnect(c.at(client))
		if _, _, err := s.Get(ctx, "/own"); err != nil {
			t.Fatalf("after a reconnect: %v\n%s", err, c.log)
		}
	}
	acl, _, err := c.admin().GetACL(c.chroot + "/own")
	if err == nil && (len(acl) != 1 || acl[0].Scheme != "sasl" || acl[0].ID != "ann") {
		t.Errorf("the znode belongs to %v", acl)
	}
	other := established(t, c.open(session.Config{Timeout: 8 * time.Second, SASL: session.SASLDigest("bob", "bob's")}))
	if _, _, err := other.Get(ctx, "/own"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("bob reads what is ann's: %v", err)
	}
}

func TestAWrongPasswordEndsTheClientWhenEveryServerHasRefusedIt(t *testing.T) {
	c := proxied(t, withJAAS(t))
	for name, sasl := range map[string]session.SASL{
		"password": session.SASLDigest("ann", "wrong"),
		"user":     session.SASLDigest("eve", "nobody's"), // another's would do until 3.9.3 (ZOOKEEPER-4839)
	} {
		client := c.open(session.Config{Timeout: 4 * time.Second, SASL: sasl})
		_, err := client.Session(within(t, hang))
		if !errors.Is(err, session.ErrAuthFailed) || !session.Permanent(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "JAAS") {
			t.Errorf("%s: %v; want it to say what to look at", name, err)
		}
	}
}

// The servers demand SASL, and refuse a client that does not authenticate.
func TestAServerThatDemandsSASLIsUsed(t *testing.T) {
	c := proxied(t, withJAAS(t, "-Dzookeeper.sessionRequireClientSASLAuth=true"))
	s := established(t, c.open(session.Config{Timeout: 4 * time.Second, SASL: session.SASLDigest("bob", "bob's")}))
	must(t, s.EnsurePath(within(t, hang), "/x", nil))
	without := c.open(session.Config{Timeout: 4 * time.Second})
	bare := established(t, without) // the handshake says nothing
	_, err := bare.Create(within(t, hang), "/x/y", nil, 0, nil)
	if !errors.Is(err, session.ServerError(-124)) || !session.Permanent(err) || !strings.Contains(err.Error(), "Config.SASL") {
		t.Errorf("without a user: %v; want an error that no retry can cure, and what to set", err)
	}
}

// A server without JAAS accepts everybody without an identity. That must not count as an
// authentication.
func TestAServerThatKnowsNoSASLIsNotTakenForOneThatDoes(t *testing.T) {
	c := proxied(t, three(t))
	client := c.open(session.Config{Timeout: 4 * time.Second, SASL: session.SASLDigest("ann", "ann's secret")})
	awaitError(t, client, "no JAAS configuration")
	ctx := within(t, time.Second)
	if _, err := client.Session(ctx); err == nil {
		t.Error("it has a session")
	}
}

// Servers before 3.9.3 share one handler among all connections.
func TestManyUsersAtATimeAreAuthenticated(t *testing.T) {
	c := proxied(t, withJAAS(t))
	var all sync.WaitGroup
	for i := range 20 {
		sasl := session.SASLDigest("ann", "ann's secret")
		if i%2 == 1 {
			sasl = session.SASLDigest("bob", "bob's")
		}
		client := c.open(session.Config{Timeout: 8 * time.Second, SASL: sasl})
		all.Go(func() {
			if _, err := client.Session(within(t, hang)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
