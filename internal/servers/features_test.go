package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// hang guards against hanging; nothing is measured by it.
const hang = 90 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	t.Cleanup(cancel)
	return ctx
}

// newest starts servers of the newest release. Sessions may be long: a busy machine is no bug.
func newest(t *testing.T, cfg ensemble.Config) *ensemble.Ensemble {
	t.Helper()
	cfg.Version, cfg.MaxSessionTimeout = release.Newest, time.Minute
	return ensemble.ForTest(t, cfg)
}

// patient is the session of a candidate. Its lease outlasts elections of servers, and what a busy
// machine delays.
var patient = session.Config{Timeout: 40 * time.Second, Lease: 12 * time.Second}

func open(t *testing.T, connect string, cfg session.Config) *session.Client {
	t.Helper()
	client, err := session.Open(connect, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// elect lets two candidates lead one after the other: the first stands at one connect string and
// resigns, the second at another.
func elect(t *testing.T, path string, cfg session.Config, first, second string) {
	t.Helper()
	a, b := campaign(t, first, path, cfg), open(t, second, cfg)
	heir, err := election.New(b, path, election.Config{ID: "second"})
	if err != nil {
		t.Fatal(err)
	}
	terms := make(chan *election.Term, 1)
	go func() {
		if term, err := heir.Campaign(within(t)); err == nil {
			terms <- term
		}
		close(terms)
	}()
	if !a.Valid() {
		t.Error("the first term is not valid")
	}
	if err := a.Release(within(t)); err != nil {
		t.Errorf("the first resigns: %v", err)
	}
	term := <-terms
	if term == nil {
		t.Fatal("the second does not lead")
	}
	if !term.Valid() || term.Token() <= a.Token() {
		t.Errorf("the second term is valid: %v, with token %d after %d", term.Valid(), term.Token(), a.Token())
	}
	if err := term.Release(within(t)); err != nil {
		t.Errorf("the second resigns: %v", err)
	}
}

// campaign returns the term of a new candidate, which stands alone or first.
func campaign(t *testing.T, connect, path string, cfg session.Config) *election.Term {
	t.Helper()
	el, err := election.New(open(t, connect, cfg), path, election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	term, err := el.Campaign(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func TestFiveServersOutliveTwo(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 5})
	term := campaign(t, e.ConnectString(), "/five", patient)
	for range 2 {
		leader, err := e.Leader(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := leader.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := term.Release(within(t)); err != nil {
		t.Errorf("with three of five: %v", err)
	}
	elect(t, "/five", patient, e.ConnectString(), e.ConnectString())
}

func TestCandidatesAtAnObserver(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 4, Observers: 1})
	watcher := e.Servers()[3]
	if mode, err := watcher.Mode(within(t)); mode != "observer" {
		t.Fatalf("server 4 is %q, %v", mode, err)
	}
	elect(t, "/observer", patient, watcher.Addr(), e.Servers()[0].Addr())
	elect(t, "/observer", patient, e.Servers()[0].Addr(), watcher.Addr())
}

// TestTLSEverywhere has TLS between the servers and to the clients. leader.closeSocketAsync is what
// the documentation advises with it.
func TestTLSEverywhere(t *testing.T) {
	cert, trust, pool := certificate(t)
	e := newest(t, ensemble.Config{Servers: 3, Secure: true, JVM: []string{"-Dzookeeper.leader.closeSocketAsync=true"}, Properties: map[string]string{
		"serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory", "ssl.clientAuth": "none",
		"ssl.keyStore.location": cert, "ssl.keyStore.type": "PEM", "ssl.trustStore.location": trust, "ssl.trustStore.type": "PEM",
		"sslQuorum": "true", "ssl.quorum.hostnameVerification": "false",
		"ssl.quorum.keyStore.location": cert, "ssl.quorum.keyStore.type": "PEM",
		"ssl.quorum.trustStore.location": trust, "ssl.quorum.trustStore.type": "PEM",
	}})
	var addrs []string
	for _, s := range e.Servers() {
		_, port, err := net.SplitHostPort(s.SecureAddr())
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, "localhost:"+port)
	}
	cfg := patient
	cfg.TLS = &tls.Config{RootCAs: pool}
	connect := strings.Join(addrs, ",")
	term := campaign(t, connect, "/tls", cfg)
	leader, err := e.Leader(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := term.Release(within(t)); err != nil {
		t.Errorf("after the death of the ZooKeeper leader: %v", err)
	}
	elect(t, "/tls", cfg, connect, connect)
}

// certificate makes a key and a certificate that is its own authority, as PEM files.
func certificate(t *testing.T) (key, trust string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "servers"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	key, trust = filepath.Join(t.TempDir(), "key.pem"), filepath.Join(t.TempDir(), "trust.pem")
	for file, text := range map[string][]byte{key: slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), public), trust: public} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key, trust, pool
}
