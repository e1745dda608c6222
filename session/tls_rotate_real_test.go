package session_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// The authority of all certificates is replaced while a client runs, first on the servers. Until
// the client's files are replaced, too, the client says what is wrong.
func TestTheAuthorityOfTheCertificatesIsReplaced(t *testing.T) {
	dir := t.TempDir()
	keys, trust := filepath.Join(dir, "server.pem"), filepath.Join(dir, "ca.pem")
	files := session.TLSFiles{Authorities: filepath.Join(dir, "authorities.pem"), Certificate: filepath.Join(dir, "own.pem"), Key: filepath.Join(dir, "own.pem")}
	servers := func() (clients func()) {
		a := newAuthority(t)
		cert, key := a.issue("server", []string{"localhost"}, false)
		a.write(keys, cert, key)
		a.write(trust, a.cert, nil)
		return func() {
			a.write(files.Authorities, a.cert, nil)
			cert, key := a.issue("client", nil, false)
			a.write(files.Certificate, cert, key)
		}
	}
	servers()()
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1, Secure: true, Properties: map[string]string{
		"serverCnxnFactory":     "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location": keys, "ssl.keyStore.type": "PEM",
		"ssl.trustStore.location": trust, "ssl.trustStore.type": "PEM",
		"ssl.clientAuth": "need",
	}})
	if e.External() {
		t.Skip("SKIP: the certificates of an external ensemble are not ours")
	}
	_, port, err := net.SplitHostPort(e.Servers()[0].SecureAddr())
	must(t, err)
	client := open(t, "localhost:"+port, session.Config{Timeout: 10 * time.Second, TLSFiles: files})
	before := established(t, client)
	id := before.ID()

	clients := servers() // and the server restarts with it
	must(t, e.Servers()[0].Restart(within(t, hang)))
	awaitError(t, client, "unknown authority")
	clients()
	if err := established(t, client).EnsurePath(within(t, hang), "/rotated", nil); err != nil {
		// The former session may have been lost meanwhile, on a busy machine.
		must(t, established(t, client).EnsurePath(within(t, hang), "/rotated", nil))
	}
	if now := established(t, client); now.ID() != id {
		t.Logf("the session was lost: %v", before.Err())
	}
}
