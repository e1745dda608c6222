package dial

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// loopback returns the name of the loopback interface.
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	t.Skip("SKIP: no loopback interface")
	return ""
}

// A link-local address can only be dialled with its zone. A certificate has the address without the
// zone.
func TestAnAddressWithAZoneIsDialled(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("SKIP: no IPv6 here: %v", err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate()) // it is for 127.0.0.1 and ::1
	servers, _, err := ParseConnect(fmt.Sprintf("[::1%%%s]:%d", loopback(t), listener.Addr().(*net.TCPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	d := dialer(&network{}, 10*time.Second, servers...)
	d.cfg.Dial, d.cfg.TLS = nil, func() (*tls.Config, error) { return &tls.Config{RootCAs: trusted}, nil }
	d.cfg.Names = NewNames(t.Context())
	conn, _, _, err := d.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
