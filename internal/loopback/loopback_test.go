package loopback

import (
	"net"
	"net/netip"
	"testing"
)

func TestAProgramCanListenThereAndBeReached(t *testing.T) {
	host := Host()
	if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() {
		t.Errorf("%q is no loopback address: %v", host, err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
