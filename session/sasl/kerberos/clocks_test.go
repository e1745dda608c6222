package kerberos_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// lateClock returns environment variables with which the clock of another process is ten minutes
// late. It skips the test if the library for that is missing.
func lateClock(t *testing.T) []string {
	t.Helper()
	libs, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(libs) == 0 {
		if os.Getenv("ZKRECIPE_REQUIRE_REAL") != "" {
			t.Fatal("no libfaketime: make deps")
		}
		t.Skip("SKIP: no libfaketime here (Debian: faketime)")
	}
	return []string{"LD_PRELOAD=" + libs[0], "FAKETIME=-10m", "DONT_FAKE_MONOTONIC=1"}
}

// The error says what to look at, and the client goes on trying: somebody will set the clock.
func TestTheErrorNamesTheClockOfAKDC(t *testing.T) {
	t.Parallel()
	late := lateClock(t)
	k := realm(t)
	e := servers(t, k)
	ann, strict := k.add("ann"), k.add("strict")
	k.run("", "kadmin.local", "-q", "modprinc +requires_preauth strict")
	k.stop()
	k.start(late...)
	var clients []*session.Client
	for principal, keytab := range map[string]string{"ann": ann, "strict": strict} {
		l := login(t, kerberos.Config{Principal: principal, Keytab: keytab, Conf: k.file("krb5.conf")})
		client := open(t, connect(e), l.SASL)
		says(t, client, "the clocks of this machine and of the KDC differ too much")
		clients = append(clients, client)
	}
	k.stop()
	k.start()
	for _, client := range clients {
		established(t, client)
	}
}

// A server refuses a ticket by its own clock. The KDC reports no error, so it is only known that
// every server has refused. The text names the clocks. Here the clock is right, but the server
// allows a difference of two seconds, and the client's messages take longer.
func TestTheErrorNamesTheClockOfAServer(t *testing.T) {
	t.Parallel()
	k := realm(t)
	strict := strings.Replace(fmt.Sprintf(conf, k.addr), "[realms]", "\tclockskew = 2\n[realms]", 1)
	k.write("strict.conf", strict)
	e := servers(t, k, func(cfg *ensemble.Config) {
		cfg.JVM = append(cfg.JVM, "-Djava.security.krb5.conf="+k.file("strict.conf"))
	})
	proxy := faultproxy.ForTest(t, e.Servers()[0].Addr())
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf"), Host: func(string) string { return "localhost" }})
	client := open(t, proxy.Addr(), l.SASL)
	established(t, client)

	proxy.Delay(faultproxy.ToServer, 2600*time.Millisecond)
	late := open(t, proxy.Addr(), l.SASL)
	_, err := late.Session(t.Context())
	if !errors.Is(err, session.ErrAuthFailed) || !strings.Contains(err.Error(), "clocks") {
		t.Errorf("err = %v; want %v, and a word of the clocks", err, session.ErrAuthFailed)
	}
	t.Log(err)
}
