package faultproxy

import (
	"context"
	"net"
	"strings"
)

// TB is the part of testing.TB that ForTest and AllForTest need.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Proxies has one proxy in front of each server.
type Proxies []*Proxy

// ForTest starts a proxy in front of a server. It is closed when the test ends.
func ForTest(tb TB, server string) *Proxy {
	tb.Helper()
	p, err := New(server)
	if err != nil {
		tb.Fatalf("a proxy in front of %s: %v", server, err)
	}
	tb.Cleanup(p.Close)
	return p
}

// AllForTest starts a proxy in front of each of the servers. They are closed when the test ends.
func AllForTest(tb TB, servers []string) (all Proxies) {
	tb.Helper()
	for _, server := range servers {
		all = append(all, ForTest(tb, server))
	}
	return all
}

// Dial connects a client with the proxy of that address.
func (all Proxies) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	for _, p := range all {
		if p.Addr() == address {
			return p.Dial(ctx, network, address)
		}
	}
	return nil, refused(network)
}

// Addrs lists the addresses of all.
func (all Proxies) Addrs() (addrs []string) {
	for _, p := range all {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

// ConnectString is what a client takes to connect through them.
func (all Proxies) ConnectString() string { return strings.Join(all.Addrs(), ",") }

// Each calls f with each of them.
func (all Proxies) Each(f func(*Proxy)) {
	for _, p := range all {
		f(p)
	}
}
