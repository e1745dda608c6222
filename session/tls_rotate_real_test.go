package session_test

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// The authority of the servers' certificates is replaced while a client runs. A Dial that speaks
// TLS itself, with the authorities of now, needs no restart; until it knows the new one the client
// says what is wrong.
func TestTheAuthorityOfTheCertificatesIsReplaced(t *testing.T) {
	dir := t.TempDir()
	keys, trust := filepath.Join(dir, "server.pem"), filepath.Join(dir, "ca.pem")
	issue := func() *tls.Config {
		a := newAuthority(t)
		cert, key := a.issue("server", []string{"localhost"}, false)
		a.write(keys, cert, key)
		a.write(trust, a.cert, nil)
		return &tls.Config{RootCAs: a.pool()}
	}
	var current atomic.Pointer[tls.Config]
	current.Store(issue())
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, Secure: true, Properties: map[string]string{
		"serverCnxnFactory":     "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location": keys, "ssl.keyStore.type": "PEM",
		"ssl.trustStore.location": trust, "ssl.trustStore.type": "PEM",
		"ssl.clientAuth": "none",
	}})
	if e.External() {
		t.Skip("SKIP: the certificates of an external ensemble are not ours")
	}
	_, port, err := net.SplitHostPort(e.Servers()[0].SecureAddr())
	must(t, err)
	client := open(t, "localhost:"+port, session.Config{Timeout: 10 * time.Second,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&tls.Dialer{Config: current.Load()}).DialContext(ctx, network, address)
		}})
	before := established(t, client)
	id := before.ID()

	next := issue() // and the server restarts with it
	must(t, e.Servers()[0].Restart(within(t, hang)))
	for end := time.Now().Add(hang); ; time.Sleep(10 * time.Millisecond) {
		if err := client.Status().Servers[0].Err; err != nil && strings.Contains(err.Error(), "unknown authority") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the client says %v", client.Status().Servers[0].Err)
		}
	}
	current.Store(next)
	if err := established(t, client).EnsurePath(within(t, hang), "/rotated", nil); err != nil {
		// The former session may have been lost meanwhile, on a busy machine.
		must(t, established(t, client).EnsurePath(within(t, hang), "/rotated", nil))
	}
	if now := established(t, client); now.ID() != id {
		t.Logf("the session was lost: %v", before.Err())
	}
}
