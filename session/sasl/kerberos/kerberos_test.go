package kerberos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

const jaas = `Server {
	com.sun.security.auth.module.Krb5LoginModule required
	useKeyTab=true keyTab="%s" storeKey=true useTicketCache=false principal="%s@TEST";
};
`

// servers starts one server that knows its principal and serves only clients that authenticate.
// with changes its configuration.
func servers(t *testing.T, k *kdc, with ...func(*ensemble.Config)) *ensemble.Ensemble {
	t.Helper()
	k.write("jaas.conf", fmt.Sprintf(jaas, k.add("zookeeper/localhost"), "zookeeper/localhost"))
	cfg := ensemble.Config{Servers: 1, MaxSessionTimeout: T, JVM: []string{
		"-Djava.security.auth.login.config=" + k.file("jaas.conf"),
		"-Djava.security.krb5.conf=" + k.file("krb5.conf"),
		"-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
		"-Dzookeeper.kerberos.removeRealmFromPrincipal=true",
		"-Dzookeeper.sessionRequireClientSASLAuth=true",
	}}
	for _, w := range with {
		w(&cfg)
	}
	e := ensemble.ForTest(t, cfg)
	if e.External() {
		t.Skip("SKIP: the configuration of an external ensemble is not ours")
	}
	return e
}

// T and D, the session timeout and the lease, are long, because a busy machine may be slow.
const T, D = 20 * time.Second, 8 * time.Second

// connect returns the servers by the name that their principal has.
func connect(e *ensemble.Ensemble) string {
	return strings.ReplaceAll(e.ConnectString(), "127.0.0.1", "localhost")
}

func login(t *testing.T, cfg kerberos.Config) *kerberos.Login {
	t.Helper()
	l, err := kerberos.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func open(t *testing.T, servers string, sasl session.SASL) *session.Client {
	t.Helper()
	return openWith(t, servers, session.Config{SASL: sasl})
}

func openWith(t *testing.T, servers string, cfg session.Config) *session.Client {
	t.Helper()
	cfg.Timeout, cfg.Lease = T, D
	client, err := session.Open(servers, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// says waits until the client's status says so about its first server.
func says(t *testing.T, client *session.Client, text string) {
	t.Helper()
	var err error
	await.Until(t, fmt.Sprintf("server's error with %q", text), func() bool {
		err = client.Status().Servers[0].Err
		return err != nil && strings.Contains(err.Error(), text)
	}, func() any { return err })
	t.Log(err)
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func established(t *testing.T, client *session.Client) *session.Session {
	t.Helper()
	s, err := client.Session(within(t, 3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPrincipalGetsWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	ann := login(t, kerberos.Config{Principal: "ann@TEST", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	bob := login(t, kerberos.Config{Principal: "bob", Keytab: k.add("bob"), Conf: k.file("krb5.conf")}) // the default realm
	s := established(t, open(t, connect(e), ann.SASL))
	ctx := within(t, 3*time.Minute)
	if err := s.EnsurePath(ctx, "/own", nil); err != nil {
		t.Fatal(err)
	}
	other := established(t, open(t, connect(e), bob.SASL))
	if _, _, err := other.Get(ctx, "/own"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("bob reads what is ann's: %v", err)
	}
	if err := other.EnsurePath(ctx, "/bobs", nil); err != nil {
		t.Error(err)
	}
	// The ticket is kept: a reconnect needs no KDC.
	k.stop()
	again := established(t, open(t, connect(e), ann.SASL))
	if _, _, err := again.Get(ctx, "/own"); err != nil {
		t.Errorf("without a KDC: %v", err)
	}
}

func TestATicketCacheServesAndIsReadAgain(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	needsKinit(t)
	cache := k.file("cache")
	kinit := func(principal string) {
		k.run("", "kinit", "-c", cache, "-k", "-t", k.file(principal+".keytab"), principal)
	}
	k.add("ann")
	k.add("bob")
	kinit("ann")
	l := login(t, kerberos.Config{Cache: cache, Conf: k.file("krb5.conf")})
	ctx := within(t, 3*time.Minute)
	s := established(t, open(t, connect(e), l.SASL))
	if err := s.EnsurePath(ctx, "/anns", nil); err != nil {
		t.Fatal(err)
	}
	kinit("bob")
	later := time.Now().Add(time.Second) // a file system may count in seconds
	if err := os.Chtimes(cache, later, later); err != nil {
		t.Fatal(err)
	}
	s = established(t, open(t, connect(e), l.SASL))
	if _, _, err := s.Get(ctx, "/anns"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("after another's kinit: %v", err)
	}
}

// A KDC that does not answer delays nobody, and is asked again.
func TestAKDCThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	k.stop()
	client := open(t, connect(e), l.SASL)
	says(t, client, "no ticket for zookeeper/localhost: the KDC cannot be reached")
	k.start()
	established(t, client)
}

func TestWhatEndsAClientForGood(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	ann := k.add("ann")
	k.add("zookeeper/other") // has another key than the server
	l := login(t, kerberos.Config{Principal: "ann", Keytab: ann, Conf: k.file("krb5.conf"), Host: func(string) string { return "other" }})
	client := open(t, connect(e), l.SASL)
	if _, err := client.Session(within(t, 3*time.Minute)); !errors.Is(err, session.ErrAuthFailed) {
		t.Errorf("a ticket for another server: %v", err)
	}
}

func TestWhatNewRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := dir + "/krb5.conf"
	if err := os.WriteFile(file, []byte("[libdefaults]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]kerberos.Config{
		"want one of them":        {Conf: file},
		"Config.Principal":        {Conf: file, Keytab: "x"},
		"/missing.conf":           {Conf: dir + "/missing.conf", Keytab: "x", Principal: "a@B"},
		"keytab " + dir + "/none": {Conf: file, Keytab: dir + "/none", Principal: "a@B"},
		"ticket cache":            {Conf: file, Cache: dir + "/none"},
	} {
		if _, err := kerberos.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", cfg, err, want)
		}
	}
}
