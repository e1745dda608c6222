package kerberos_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// lateClock returns what lets the clock of another process be ten minutes late: variables of its
// environment. It skips the test without a library for that.
func lateClock(t *testing.T) []string {
	t.Helper()
	if os.Getenv("ZKRECIPE_CLOCKS") == "" {
		t.Skip(`SKIP: a JVM with libfaketime sometimes takes minutes to start; "make clocks" runs this`)
	}
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
func TestAKDCWithAnotherTimeIsToldByTheText(t *testing.T) {
	t.Parallel()
	late := lateClock(t)
	k := realm(t)
	e := servers(t, k)
	ann, strict := k.add("ann"), k.add("strict")
	k.run("", "kadmin.local", "-q", "modprinc +requires_preauth strict")
	k.stop()
	k.start(late...)
	for principal, keytab := range map[string]string{"ann": ann, "strict": strict} {
		l := login(t, kerberos.Config{Principal: principal, Keytab: keytab, Conf: k.file("krb5.conf")})
		client := open(t, connect(e), l.SASL)
		says(t, client, "the clocks of this machine and of the KDC differ too much")
		if principal == "ann" {
			continue
		}
		k.stop()
		k.start()
		established(t, client)
	}
}

// A server refuses a ticket by its own clock. That is no error of the KDC's, so all that is known is
// that every server has refused; the text names the clocks.
func TestAServerWithAnotherTimeIsToldByTheText(t *testing.T) {
	t.Parallel()
	late := lateClock(t)
	k := realm(t)
	e := servers(t, k, func(cfg *ensemble.Config) {
		cfg.Wrap = func(_ int, argv []string) []string { return append(append([]string{"env"}, late...), argv...) }
	})
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	client := open(t, connect(e), l.SASL)
	_, err := client.Session(t.Context())
	if !errors.Is(err, session.ErrAuthFailed) || !strings.Contains(err.Error(), "clocks") {
		t.Errorf("err = %v; want %v, and a word of the clocks", err, session.ErrAuthFailed)
	}
	t.Log(err)
}
