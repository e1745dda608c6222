package kerberos_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// trusting adds a realm OTHER to the KDC, which trusts the realm TEST.
func (k *kdc) trusting() {
	k.t.Helper()
	more := fmt.Sprintf("\tOTHER = {\n\t\tdatabase_name = %[1]s/other\n\t\tkey_stash_file = %[1]s/other-stash\n"+
		"\t\tsupported_enctypes = aes256-cts:normal\n\t}\n[logging]", k.dir)
	k.write("kdc.conf", strings.Replace(fmt.Sprintf(kdcConf, k.addr, k.dir), "[logging]", more, 1))
	k.write("krb5.conf", fmt.Sprintf(conf, k.addr)+"\tOTHER = {\n\t\tkdc = "+k.addr+"\n\t}\n[domain_realm]\n\tlocalhost = OTHER\n")
	k.run("", "kdb5_util", "create", "-s", "-P", "master", "-r", "OTHER")
	for _, r := range []string{"TEST", "OTHER"} {
		k.run("", "kadmin.local", "-r", r, "-q", "addprinc -pw shared krbtgt/OTHER@TEST")
	}
	k.stop()
	k.realms = []string{"-r", "TEST", "-r", "OTHER"}
	k.start()
}

// The servers belong to another realm than the client, and the two KDCs trust each other.
func TestServersOfAnotherRealmAreReached(t *testing.T) {
	t.Parallel()
	k := realm(t)
	k.trusting()
	keytab := k.file("other.keytab")
	k.run("", "kadmin.local", "-r", "OTHER", "-q", "addprinc -randkey zookeeper/localhost")
	k.run("", "kadmin.local", "-r", "OTHER", "-q", "ktadd -k "+keytab+" zookeeper/localhost")
	e := servers(t, k, func(cfg *ensemble.Config) {
		text := fmt.Sprintf(jaas, keytab, "zookeeper/localhost")
		k.write("jaas.conf", strings.Replace(text, "@TEST", "@OTHER", 1))
		cfg.JVM = append(cfg.JVM, "-Dzookeeper.kerberos.removeRealmFromPrincipal=false")
	})
	ann := k.add("ann")
	cfg := []kerberos.Config{{Principal: "ann@TEST", Keytab: ann}}
	if hasKinit(t) {
		k.run("", "kinit", "-c", k.file("cache"), "-k", "-t", ann, "ann@TEST")
		cfg = append(cfg, kerberos.Config{Cache: k.file("cache")})
	}
	for i, c := range cfg {
		c.Conf = k.file("krb5.conf")
		l := login(t, c)
		s := established(t, open(t, connect(e), l.SASL))
		if err := s.EnsurePath(within(t, 3*time.Minute), fmt.Sprintf("/own%d", i), nil); err != nil {
			t.Error(err)
		}
	}
}

// The KDC gets another address, and krb5.conf says so. No restart is needed.
func TestAKDCThatHasMovedIsFound(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	k.stop()
	var c cable
	client := openWith(t, connect(e), session.Config{SASL: l.SASL, Dial: c.dial})
	says(t, client, "the KDC cannot be reached")
	k.write("krb5.conf", "[libdefaults]\n\tdefault_") // somebody is writing it
	says(t, client, "libdefaults section line (default_)")
	k.addr = unused(t)
	k.write("krb5.conf", fmt.Sprintf(conf, k.addr))
	k.write("kdc.conf", fmt.Sprintf(kdcConf, k.addr, k.dir))
	k.start()
	established(t, client)
}
