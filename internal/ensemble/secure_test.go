package ensemble

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a PEM file with a key and its certificate, which is returned.
func selfSigned(t *testing.T, file string) *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "zk.test"}, DNSNames: []string{"zk.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestSecurePortSpeaksTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.pem")
	cert := selfSigned(t, file)
	e := ForTest(t, Config{Servers: 1, Secure: true, Properties: map[string]string{
		"serverCnxnFactory":     "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location": file, "ssl.keyStore.type": "PEM",
		"ssl.trustStore.location": file, "ssl.trustStore.type": "PEM",
		"ssl.clientAuth": "none",
	}})
	skipExternal(t, e)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "zk.test"}}
	var conn net.Conn
	err := poll(within(t), func(ctx context.Context) (err error) { // the port opens after the other one
		conn, err = d.DialContext(ctx, "tcp", e.Servers()[0].SecureAddr())
		return err
	}, func(err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "srvr")
	if answer, err := io.ReadAll(conn); !strings.Contains(string(answer), "Mode: standalone") {
		t.Errorf("answer %q, %v", answer, err)
	}
}
