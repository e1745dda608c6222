package kerberos_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// A cable is a Dial whose connections can be cut.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// life is how long a ticket is valid in these tests, in a form for kinit and kadmin.
const life = 3 * time.Second

// A leader's tickets end again and again. New ones are fetched with the keytab, and the following
// reconnects use them. Neither the session nor the term ends.
func TestATermOutlivesTheTicketsOfItsSession(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	ann := k.add("ann")
	k.run("", "kadmin.local", "-q", fmt.Sprintf(`modprinc -maxlife "%d seconds" ann`, int(life.Seconds())))
	l := login(t, kerberos.Config{Principal: "ann", Keytab: ann, Conf: k.file("krb5.conf")})
	var c cable
	client := openWith(t, connect(e), session.Config{SASL: l.SASL, Dial: c.dial})
	s := established(t, client)
	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	terms := make(chan *election.Term)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- el.Run(ctx, func(ctx context.Context, term *election.Term) error {
			terms <- term
			<-ctx.Done()
			return nil
		})
	}()
	term := <-terms
	for range 2 {
		time.Sleep(life) // what the KDC has given so far has ended
		before := k.issued("ann", "zookeeper/localhost")
		c.cut()
		await.Until(t, "ticket for a reconnect", func() bool { return k.issued("ann", "zookeeper/localhost") > before })
		if _, _, err := s.Get(within(t, 3*time.Minute), "/billing"); err != nil {
			t.Fatalf("after a reconnect: %v", err)
		}
	}
	if n := k.issued("ann", "krbtgt/TEST"); n < 2 {
		t.Errorf("ann has logged in %d times, with tickets of %v", n, life)
	}
	if !term.Valid() || s.Err() != nil {
		t.Errorf("the term is valid: %v; the session: %v", term.Valid(), s.Err())
	}
	cancel()
	<-ended
}

// If nobody renews a cache, its tickets end. The connection goes on. A reconnect has to wait until
// somebody runs kinit, and the client says that. The session has not ended.
func TestATicketCacheThatHasEndedAsksForKinit(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	needsKinit(t)
	cache, keytab := k.file("cache"), k.add("ann")
	k.run("", "kinit", "-l", life.String(), "-c", cache, "-k", "-t", keytab, "ann")
	l := login(t, kerberos.Config{Cache: cache, Conf: k.file("krb5.conf")})
	var c cable
	client := openWith(t, connect(e), session.Config{SASL: l.SASL, Dial: c.dial})
	s := established(t, client)
	time.Sleep(life)
	if err := s.EnsurePath(within(t, 3*time.Minute), "/anns", nil); err != nil {
		t.Errorf("on a connection whose ticket has ended: %v", err)
	}
	c.cut()
	says(t, client, "the tickets in the cache have ended: run kinit")
	k.run("", "kinit", "-c", cache, "-k", "-t", keytab, "ann")
	if _, _, err := s.Get(within(t, 3*time.Minute), "/anns"); err != nil {
		t.Errorf("after kinit: %v", err)
	}
}

// The library's clients renew tickets on a goroutine of their own. A panic there because of a KDC's
// answer would end the process.
func TestTheLibraryRenewsNoTickets(t *testing.T) {
	t.Parallel()
	k := realm(t)
	k.add("zookeeper/localhost")
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	if _, err := l.SASL(within(t, 3*time.Minute), "localhost:2181"); err != nil {
		t.Fatal(err)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if strings.Contains(string(stacks), "enableAutoSessionRenewal") {
		t.Errorf("tickets are being renewed:\n%s", stacks)
	}
}

// A file is replaced while the client runs. It may be read while it is only half written.
func TestAFileThatIsCutShortKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	k := realm(t)
	needsKinit(t)
	k.add("zookeeper/localhost")
	keytab, cache := k.add("ann"), k.file("cache")
	k.run("", "kinit", "-c", cache, "-k", "-t", keytab, "ann")
	for file, cfg := range map[string]kerberos.Config{
		keytab: {Keytab: keytab, Principal: "ann"},
		cache:  {Cache: cache},
	} {
		cfg.Conf = k.file("krb5.conf")
		l := login(t, cfg)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Second)
		for n := 0; n < len(whole); n += max(1, len(whole)/50) {
			at = at.Add(time.Second) // a file system may count in seconds
			if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
			if _, err := l.SASL(within(t, 3*time.Minute), "localhost:2181"); err != nil && file == cache {
				t.Errorf("%s with %d of %d bytes: %v", file, n, len(whole), err)
			}
			if other, err := kerberos.New(cfg); err == nil {
				other.Close() // what is cut off may be what is not needed
			}
		}
	}
}

// The key of a principal is changed, and its keytab replaced, while a client runs.
func TestAKeytabIsReadAgain(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	keytab := k.add("ann")
	l := login(t, kerberos.Config{Principal: "ann", Keytab: keytab, Conf: k.file("krb5.conf")})
	old, err := os.ReadFile(keytab)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keytab); err != nil {
		t.Fatal(err)
	}
	k.run("", "kadmin.local", "-q", "ktadd -k "+keytab+" ann") // which changes the key
	fresh, err := os.ReadFile(keytab)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(data []byte, at time.Time) {
		if err := os.WriteFile(keytab, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(keytab, at, at); err != nil {
			t.Fatal(err)
		}
	}
	replace(old, time.Now().Add(time.Second))
	client := open(t, connect(e), l.SASL)
	says(t, client, "the keytab does not have the key that the KDC has for Config.Principal")
	replace([]byte("nothing"), time.Now().Add(2*time.Second))
	says(t, client, "cannot be read as it is now")
	replace(fresh, time.Now().Add(3*time.Second))
	established(t, client)
}

func needsKinit(t *testing.T) {
	t.Helper()
	if !hasKinit(t) {
		t.Skip("SKIP: no kinit here (Debian: krb5-user)")
	}
}

func hasKinit(t *testing.T) bool {
	t.Helper()
	_, err := exec.LookPath("kinit")
	if err != nil && os.Getenv("ZKRECIPE_REQUIRE_REAL") != "" {
		t.Fatal("no kinit: make deps")
	}
	return err == nil
}

// An administrator changes the servers' key now and then. If the keytab of a server also has the
// former key, the server accepts the client's tickets. Other servers refuse them.
func TestServersWithANewKeyAreUsed(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	keytab := k.file("zookeeper-localhost.keytab")
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	var c cable
	client := openWith(t, connect(e), session.Config{SASL: l.SASL, Dial: c.dial})
	s := established(t, client)
	for _, kept := range []bool{true, false, false} {
		if !kept {
			if err := os.Remove(keytab); err != nil {
				t.Fatal(err)
			}
		}
		k.run("", "kadmin.local", "-q", "ktadd -k "+keytab+" zookeeper/localhost")
		before := k.issued("ann", "zookeeper/localhost")
		c.cut()
		if _, _, err := s.Get(within(t, 3*time.Minute), "/"); err != nil {
			t.Fatalf("after a change of the servers' key: %v", err)
		}
		if again := k.issued("ann", "zookeeper/localhost") > before; again == kept {
			t.Errorf("the former key is kept: %v; another ticket was fetched: %v", kept, again)
		}
	}
}

// A ticket may be refused at its first use: the servers' key was changed after the ticket was
// issued, or the KDC that issued it did not know of the change.
func TestATicketThatNoServerHasAcceptedIsReplaced(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	keytab := k.file("zookeeper-localhost.keytab")
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	if _, err := l.SASL(within(t, 3*time.Minute), "localhost:2181"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keytab); err != nil {
		t.Fatal(err)
	}
	k.run("", "kadmin.local", "-q", "ktadd -k "+keytab+" zookeeper/localhost")
	established(t, open(t, connect(e), l.SASL))
}
