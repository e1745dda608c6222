package session_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// tlsServers returns a server that speaks TLS, and a file with its authority.
func tlsServers() (connect, authorities string, stop func()) {
	e, err := zktest.New(zktest.Config{Servers: 1})
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewTLSServer(nil) // it has a certificate for 127.0.0.1
	l, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "zkrecipe")
	if err != nil {
		log.Fatal(err)
	}
	authorities = filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(authorities, text, 0o600); err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				server, err := net.Dial("tcp", e.ConnectString())
				if err != nil {
					return
				}
				defer server.Close()
				go io.Copy(server, conn)
				io.Copy(conn, server)
			}()
		}
	}()
	return l.Addr().String(), authorities, func() { l.Close(); web.Close(); e.Close(); os.RemoveAll(dir) }
}

// The file with the authorities may be replaced while the client runs.
func ExampleTLSFiles() {
	servers, authorities, stop := tlsServers() // "zk1:2281,zk2:2281,zk3:2281", "/etc/ssl/zookeeper.pem" elsewhere
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := session.Open(servers, session.Config{TLSFiles: session.TLSFiles{Authorities: authorities}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = s.Get(ctx, "/")
	fmt.Println(err, client.Status().TLSFiles)
	// Output: <nil> <nil>
}
