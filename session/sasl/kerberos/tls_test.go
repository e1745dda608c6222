package kerberos_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// certified writes a self-signed certificate for localhost, and its key.
func certified(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Kerberos authenticates the client, and TLS encrypts the connection.
func TestKerberosWorksOverTLS(t *testing.T) {
	t.Parallel()
	k := realm(t)
	pair := k.file("tls.pem")
	certified(t, pair)
	e := servers(t, k, func(cfg *ensemble.Config) {
		cfg.Secure = true
		cfg.Properties = map[string]string{
			"serverCnxnFactory":     "org.apache.zookeeper.server.NettyServerCnxnFactory",
			"ssl.keyStore.location": pair, "ssl.keyStore.type": "PEM",
			"ssl.trustStore.location": pair, "ssl.trustStore.type": "PEM",
			"ssl.clientAuth": "none",
		}
	})
	secure := strings.Replace(e.Servers()[0].SecureAddr(), "127.0.0.1", "localhost", 1)
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf")})
	var c cable
	client := openWith(t, secure, session.Config{SASL: l.SASL, Dial: c.dial, TLSFiles: session.TLSFiles{Authorities: pair}})
	s := established(t, client)
	if err := s.EnsurePath(within(t, 3*time.Minute), "/own", nil); err != nil {
		t.Fatal(err)
	}
	c.cut()
	if _, _, err := s.Get(within(t, 3*time.Minute), "/own"); err != nil {
		t.Errorf("after a reconnect: %v", err)
	}
}
