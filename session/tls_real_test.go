package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue("authority", nil, true)
	return a
}

func (a *authority) issue(name string, names []string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	a.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	issuer, issuerKey := a.cert, a.key
	if ca {
		template.KeyUsage |= x509.KeyUsageCertSign
		issuer, issuerKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	must(a.t, err)
	cert, err := x509.ParseCertificate(der)
	must(a.t, err)
	return cert, key
}

// write writes a key, if there is one, and a certificate into a PEM file.
func (a *authority) write(file string, cert *x509.Certificate, key *ecdsa.PrivateKey) string {
	a.t.Helper()
	var text []byte
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(a.t, err)
		text = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	text = slices.Concat(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	put(a.t, file, text)
	return file
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestTLSOnARealSecurePort(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	serverCert, serverKey := a.issue("server", []string{"localhost"}, false)
	clientCert, clientKey := a.issue("client", nil, false)
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, Secure: true, Properties: map[string]string{
		"serverCnxnFactory":       "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location":   a.write(filepath.Join(dir, "server.pem"), serverCert, serverKey),
		"ssl.keyStore.type":       "PEM",
		"ssl.trustStore.location": a.write(filepath.Join(dir, "ca.pem"), a.cert, nil),
		"ssl.trustStore.type":     "PEM",
		"ssl.clientAuth":          "need",
	}})
	if e.External() {
		t.Skip("SKIP: the certificates of an external ensemble are not ours")
	}
	_, securePort, err := net.SplitHostPort(e.Servers()[0].SecureAddr())
	must(t, err)
	own := tls.Certificate{Certificate: [][]byte{clientCert.Raw}, PrivateKey: clientKey}
	good := &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{own}}

	var open1 sockets
	client := open(t, "localhost:"+securePort+"/tls", session.Config{Timeout: steady, TLS: good, Dial: open1.dial})
	s := established(t, client)
	_, l := held(t, s)
	if !l.Valid() {
		t.Error("no lease over TLS")
	}
	client.Close()
	if n := open1.count(); n != 0 {
		t.Errorf("%d sockets are open after Close", n)
	}

	// A configuration that cannot work gives an error that says why.
	for _, c := range []struct {
		name, connect string
		tls           *tls.Config
		want          []string
	}{
		{"another name", "127.0.0.1:" + securePort, good, []string{"cannot validate certificate for 127.0.0.1"}},
		{"an untrusted authority", "localhost:" + securePort,
			&tls.Config{RootCAs: newAuthority(t).pool(), Certificates: []tls.Certificate{own}}, []string{"unknown authority"}},
		{"no client certificate", "localhost:" + securePort, &tls.Config{RootCAs: a.pool()},
			[]string{"certificate required", "bad certificate", "handshake failure", "closed without an answer", "broken pipe", "connection reset"}},
		{"a TLS port without TLS", "localhost:" + securePort, nil, []string{"speaks TLS"}},
		{"a plain port with TLS", e.Addrs()[0], good, []string{"does this port speak TLS?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var open sockets
			client, err := session.Open(c.connect, session.Config{Timeout: time.Second, TLS: c.tls, Dial: open.dial})
			must(t, err)
			defer client.Close()
			said := false
			for end := time.Now().Add(hang); !said && time.Now().Before(end); {
				if _, err = client.Session(within(t, 100*time.Millisecond)); err == nil {
					t.Fatal("connected")
				}
				said = slices.ContainsFunc(c.want, func(w string) bool { return strings.Contains(err.Error(), w) })
			}
			t.Log(err)
			if !said {
				t.Errorf("want one of %q in it", c.want)
			}
			client.Close()
			if n := open.count(); n != 0 {
				t.Errorf("%d sockets are open after Close", n)
			}
		})
	}
}
