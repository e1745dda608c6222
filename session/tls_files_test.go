package session_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A tlsFront is a TLS proxy in front of a server.
type tlsFront struct {
	net.Listener
	to string

	mu      sync.Mutex
	clients []string // the common names of their certificates
	conns   []net.Conn
}

// newTLSFront returns a tlsFront at localhost that accepts clients of the authority.
func newTLSFront(t *testing.T, a *authority, to string) *tlsFront {
	t.Helper()
	cert, key := a.issue("server", []string{"localhost"}, false)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
	})
	must(t, err)
	f := &tlsFront{Listener: l, to: to}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(conn.(*tls.Conn)) })
		}
	})
	t.Cleanup(func() { l.Close(); f.cut(); all.Wait() })
	return f
}

func (f *tlsFront) serve(conn *tls.Conn) {
	defer conn.Close()
	if conn.Handshake() != nil {
		return
	}
	server, err := net.Dial("tcp", f.to)
	if err != nil {
		return
	}
	defer server.Close()
	f.mu.Lock()
	f.clients = append(f.clients, conn.ConnectionState().PeerCertificates[0].Subject.CommonName)
	f.conns = append(f.conns, conn)
	f.mu.Unlock()
	go func() { io.Copy(server, conn); server.Close() }()
	io.Copy(conn, server)
}

func (f *tlsFront) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.conns {
		conn.Close()
	}
}

// next cuts the connections, and returns the name of the next client that connects.
func (f *tlsFront) next(t *testing.T) string {
	t.Helper()
	f.mu.Lock()
	before := len(f.clients)
	f.mu.Unlock()
	f.cut()
	var all []string
	await.Until(t, "next client", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		all = f.clients
		return len(all) > before
	})
	return all[before]
}

// put replaces a file as a whole: a client may be reading it.
func put(t *testing.T, file string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(file+".new", text, 0o600))
	must(t, os.Rename(file+".new", file))
}

func TestCertificatesAreReadAgainForEachConnection(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 1, MaxSessionTimeout: time.Minute, Logf: func(string, ...any) {}})
	a, dir := newAuthority(t), t.TempDir()
	front := newTLSFront(t, a, e.ConnectString())
	files := session.TLSFiles{Authorities: filepath.Join(dir, "ca.pem"), Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	own := func(name string) (replaceCertificate, replaceKey func()) {
		cert, key := a.issue(name, nil, false)
		both := a.write(filepath.Join(dir, name), cert, key)
		text, err := os.ReadFile(both)
		must(t, err)
		i := strings.Index(string(text), "-----BEGIN CERTIFICATE-----")
		return func() { put(t, files.Certificate, text[i:]) },
			func() { put(t, files.Key, text[:i]) }
	}
	certificate, key := own("first")
	certificate()
	key()
	a.write(files.Authorities, a.cert, nil)
	log := newLogbook(t)
	_, port, err := net.SplitHostPort(front.Addr().String())
	must(t, err)
	client := open(t, "localhost:"+port, session.Config{Timeout: steady, TLSFiles: files, Logger: slog.New(log)})
	established(t, client)

	certificate, key = own("second")
	certificate()
	for range 3 { // the key does not match yet
		if name := front.next(t); name != "first" {
			t.Errorf("with the certificate alone the client is %s", name)
		}
	}
	if err := client.Status().TLSFiles; err == nil || !strings.Contains(err.Error(), "cert.pem with "+files.Key) {
		t.Errorf("Status says %v of files that do not match", err)
	}
	key()
	if name := front.next(t); name != "second" {
		t.Fatalf("with both files the client is %s", name)
	}
	if err := client.Status().TLSFiles; err != nil {
		t.Errorf("Status says %v of good files", err)
	}
	// First an authority that is not the servers', and then one that cannot be read. No restart is
	// needed: good files are enough.
	other := newAuthority(t)
	other.write(files.Authorities, other.cert, nil)
	front.cut()
	awaitError(t, client, "unknown authority")
	put(t, files.Authorities, []byte("-----BEGIN CERTIFICATE"))
	awaitError(t, client, "the TLS files cannot be read as they are now")
	a.write(files.Authorities, a.cert, nil)
	if _, _, err := established(t, client).Get(within(t, hang), "/"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "so the former ones are used"); n != 2 {
		t.Errorf("%d lines about two sorts of broken files:\n%s", n, log)
	}
}

// The caller may change Config.TLS after Open, for another use. That must not affect the client's
// connections.
func TestConfigTLSIsCopiedAtOpen(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 1, MaxSessionTimeout: time.Minute, Logf: func(string, ...any) {}})
	a := newAuthority(t)
	front := newTLSFront(t, a, e.ConnectString())
	cert, key := a.issue("mine", nil, false)
	own := &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	_, port, err := net.SplitHostPort(front.Addr().String())
	must(t, err)
	client := open(t, "localhost:"+port, session.Config{Timeout: steady, TLS: own})
	own.RootCAs, own.Certificates, own.ServerName = x509.NewCertPool(), nil, "elsewhere"
	await.Until(t, "connection", func() bool {
		must(t, client.Status().Servers[0].Err)
		return client.Status().State == session.StateConnected
	})
	if name := front.next(t); name != "mine" {
		t.Errorf("the client is %s", name)
	}
}

// awaitError waits until the client's status says so about its first server.
func awaitError(t *testing.T, client *session.Client, text string) {
	t.Helper()
	var err error
	await.Until(t, fmt.Sprintf("error with %q", text), func() bool {
		err = client.Status().Servers[0].Err
		return err != nil && strings.Contains(err.Error(), text)
	}, func() any { return err })
}

func TestTLSFilesThatCannotBeReadAreRefusedAtOnce(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	file := func(name, text string) string {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		return filepath.Join(dir, name)
	}
	whole := a.write(filepath.Join(dir, "whole.pem"), a.cert, a.key)
	text, err := os.ReadFile(whole)
	must(t, err)
	cert, _ := a.issue("another", nil, false)
	another := a.write(filepath.Join(dir, "another.pem"), cert, nil)
	cutShort := string(text[:len(text)-40])
	short := file("short.pem", string(text)+cutShort)
	for name, c := range map[string]struct {
		files session.TLSFiles
		want  string
	}{
		"missing":             {session.TLSFiles{Authorities: filepath.Join(dir, "none")}, "no such file"},
		"empty":               {session.TLSFiles{Authorities: file("empty.pem", "")}, "no certificate is in it"},
		"the second cut":      {session.TLSFiles{Authorities: short}, "it is cut short"},
		"the first cut":       {session.TLSFiles{Authorities: file("first.pem", cutShort+string(text))}, "it is cut short"},
		"a chain cut":         {session.TLSFiles{Certificate: short, Key: whole}, "it is cut short"},
		"no certificate":      {session.TLSFiles{Authorities: file("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, "bad.pem: "},
		"a key alone":         {session.TLSFiles{Key: whole}, "want both or none"},
		"another key":         {session.TLSFiles{Certificate: another, Key: whole}, "private key does not match"},
		"no key":              {session.TLSFiles{Certificate: whole, Key: filepath.Join(dir, "none")}, "no such file"},
		"no certificate file": {session.TLSFiles{Certificate: filepath.Join(dir, "none"), Key: whole}, "no such file"},
	} {
		client, err := session.Open("localhost", session.Config{TLSFiles: c.files})
		if err == nil {
			client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "TLSFiles") {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	base := &tls.Config{RootCAs: x509.NewCertPool()}
	client, err := session.Open("localhost", session.Config{TLS: base, TLSFiles: session.TLSFiles{Authorities: whole, Certificate: whole, Key: whole}})
	must(t, err)
	client.Close()
	if len(base.Certificates) != 0 || !base.RootCAs.Equal(x509.NewCertPool()) {
		t.Error("Config.TLS was changed")
	}
}
