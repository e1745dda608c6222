package dial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// certificate returns a self-signed certificate for names, and a pool with it.
func certificate(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, pool
}

// serve accepts connections on loopback until the test ends.
func serve(t *testing.T, handle func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// dialName dials the server name:port, whose name resolves to loopback.
func dialName(t *testing.T, name, port string, cfg *tls.Config) error {
	t.Helper()
	d := New(Config{
		Servers: []string{name + ":" + port}, TLS: func() (*tls.Config, error) { return cfg, nil }, Clock: clock.System,
		Timeout: func(int) time.Duration { return 10 * time.Second },
		Pause:   func() time.Duration { return time.Second },
	})
	d.cfg.Names = newNames(t.Context(), func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil })
	conn, _, _, err := d.Next(t.Context())
	if err == nil {
		conn.Close()
	}
	return err
}

func TestTLSVerifiesTheNameNotTheAddress(t *testing.T) {
	cert, pool := certificate(t, "zk1.example")
	port := serve(t, func(c net.Conn) {
		tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
	})
	if err := dialName(t, "zk1.example", port, &tls.Config{RootCAs: pool}); err != nil {
		t.Errorf("the right name: %v", err)
	}
	var mismatch x509.HostnameError
	if err := dialName(t, "zk2.example", port, &tls.Config{RootCAs: pool}); !errors.As(err, &mismatch) || mismatch.Host != "zk2.example" {
		t.Errorf("another name: %v", err)
	}
	if err := dialName(t, "127.0.0.1", port, &tls.Config{RootCAs: pool}); !errors.As(err, &mismatch) {
		t.Errorf("an address without a certificate: %v", err)
	}
	if err := dialName(t, "zk2.example", port, &tls.Config{RootCAs: pool, ServerName: "zk1.example"}); err != nil {
		t.Errorf("the name of the configuration: %v", err)
	}
	var unknown x509.UnknownAuthorityError
	if err := dialName(t, "zk1.example", port, &tls.Config{RootCAs: x509.NewCertPool()}); !errors.As(err, &unknown) {
		t.Errorf("an unknown authority: %v", err)
	}
}

func TestAPortWithoutTLSIsExplained(t *testing.T) {
	_, pool := certificate(t, "zk1.example")
	for name, handle := range map[string]func(net.Conn){
		"closes":        func(c net.Conn) { c.Read(make([]byte, 4)); c.(*net.TCPConn).CloseWrite(); c.Read(make([]byte, 1024)) },
		"resets":        func(c net.Conn) { c.Read(make([]byte, 4)); c.(*net.TCPConn).SetLinger(0) },
		"says anything": func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Read(make([]byte, 1024)) },
	} {
		port := serve(t, handle)
		err := dialName(t, "zk1.example", port, &tls.Config{RootCAs: pool})
		if err == nil || !strings.Contains(err.Error(), "does this port speak TLS?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
