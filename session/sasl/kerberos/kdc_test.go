package kerberos_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/loopback"
)

// A kdc is a Kerberos realm of the test's own, TEST, on a loopback address.
type kdc struct {
	t    *testing.T
	dir  string
	env  []string
	addr string
	cmd  *exec.Cmd

	realms []string // arguments for krb5kdc; none for TEST alone
}

// conf is krb5.conf. It allows only the encryption types that both Java and Go have.
const conf = `[libdefaults]
	default_realm = TEST
	dns_lookup_realm = false
	dns_lookup_kdc = false
	rdns = false
	udp_preference_limit = 1
	ticket_lifetime = 1h
	permitted_enctypes = aes256-cts-hmac-sha1-96
	default_tkt_enctypes = aes256-cts-hmac-sha1-96
	default_tgs_enctypes = aes256-cts-hmac-sha1-96
[realms]
	TEST = {
		kdc = %s
	}
`

const kdcConf = `[kdcdefaults]
	kdc_listen = ""
	kdc_tcp_listen = %s
[realms]
	TEST = {
		database_name = %[2]s/principal
		key_stash_file = %[2]s/stash
		acl_file = %[2]s/acl
		supported_enctypes = aes256-cts:normal
		max_life = 1h
	}
[logging]
	kdc = FILE:%[2]s/kdc.log
`

// realm starts a KDC, or skips the test if none is installed.
func realm(t *testing.T) *kdc {
	t.Helper()
	for _, program := range []string{"krb5kdc", "kdb5_util", "kadmin.local"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("ZKRECIPE_REQUIRE_REAL") != "" {
				t.Fatalf("no %s: make deps", program)
			}
			t.Skipf("SKIP: no %s here (Debian: krb5-kdc, krb5-admin-server)", program)
		}
	}
	k := &kdc{t: t, dir: t.TempDir(), addr: unused(t)}
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.file("krb5.conf"), "KRB5_KDC_PROFILE="+k.file("kdc.conf"))
	k.write("krb5.conf", fmt.Sprintf(conf, k.addr))
	k.write("kdc.conf", fmt.Sprintf(kdcConf, k.addr, k.dir))
	k.run("", "kdb5_util", "create", "-s", "-P", "master", "-r", "TEST")
	k.start()
	t.Cleanup(k.stop)
	return k
}

// unused returns an address on which nobody listens. No other process gets it while the KDC does
// not run.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback.Host(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (k *kdc) file(name string) string { return filepath.Join(k.dir, name) }

func (k *kdc) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(k.file(name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kdc) run(stdin, program string, args ...string) {
	k.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdin = k.env, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}

// add makes a principal with a random key, and returns the keytab that holds it.
func (k *kdc) add(principal string) (keytab string) {
	k.t.Helper()
	keytab = k.file(strings.NewReplacer("/", "-", "@", "-").Replace(principal) + ".keytab")
	k.run("", "kadmin.local", "-q", "addprinc -randkey "+principal)
	k.run("", "kadmin.local", "-q", "ktadd -k "+keytab+" "+principal)
	return keytab
}

// issued returns how many tickets for that server the KDC has issued to that client. Both are
// principals.
func (k *kdc) issued(client, server string) int {
	k.t.Helper()
	log, err := os.ReadFile(k.file("kdc.log"))
	if err != nil {
		k.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "ISSUE: ") && strings.Contains(line, " "+client+"@TEST for "+server+"@TEST") {
			n++
		}
	}
	return n
}

// start starts the KDC. env has more environment variables for it.
func (k *kdc) start(env ...string) {
	k.t.Helper()
	k.cmd = exec.Command("krb5kdc", append([]string{"-n", "-P", k.file("pid")}, k.realms...)...)
	k.cmd.Env = append(k.env, env...)
	var out bytes.Buffer
	k.cmd.Stdout, k.cmd.Stderr = &out, &out
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	await.Until(k.t, "KDC that listens", func() bool {
		conn, err := net.Dial("tcp", k.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, func() any { k.stop(); return out.String() })
}

func (k *kdc) stop() {
	if k.cmd.Process != nil {
		k.cmd.Process.Kill()
		k.cmd.Wait()
	}
}
