package session_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A nameServer says that each name has the address 127.0.0.1, until it is down.
type nameServer struct {
	down    atomic.Bool
	refused atomic.Int64
}

func (n *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	if n.down.Load() {
		n.refused.Add(1)
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	go answerQuery(far)
	return near, nil
}

// answerQuery answers one DNS query as over TCP, with the length before each message.
func answerQuery(conn net.Conn) {
	defer conn.Close()
	length := make([]byte, 2)
	if _, err := io.ReadFull(conn, length); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	const header, isAnswer = 12, "\x81\x80"
	end := header
	for query[end] != 0 { // one label after the other
		end += 1 + int(query[end])
	}
	end += 5 // the last label, the type and the class
	answers, record := "\x00\x00", ""
	if query[end-3] == 1 { // type A, and not AAAA; the record's name is that of the question
		answers, record = "\x00\x01", "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"
	}
	reply := string(query[:2]) + isAnswer + "\x00\x01" + answers + "\x00\x00\x00\x00" + string(query[header:end]) + record
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)) // nobody may wait for it any more
}

// The next session uses the addresses that a session has found. This test is not in a bubble: names
// are looked up only for TCP.
func TestTheNextSessionConnectsWhileNoNameServerAnswers(t *testing.T) {
	usual, names := net.DefaultResolver, &nameServer{}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: names.dial}
	t.Cleanup(func() { net.DefaultResolver = usual }) // after the client is closed
	e := zktest.Start(t, zktest.Config{Tick: time.Second, Logf: func(string, ...any) {}})
	_, port, err := net.SplitHostPort(e.Addrs()[0])
	must(t, err)
	log := newLogbook(t)
	client := open(t, "zk1.test:"+port, session.Config{Timeout: steady, Logger: slog.New(log)})
	s := established(t, client)
	names.down.Store(true)
	log.Reset()
	unresolved := func(l line) bool { return strings.Contains(l.text, "zk1.test:"+port+" (resolve: ") } // no attempt was made
	e.ExpireSession(s.ID())
	if err := over(t, s); !errors.Is(err, session.ErrExpired) {
		t.Errorf("the session ended with %v", err)
	}
	await.Until(t, "another session", func() bool {
		if log.Count(unresolved) > 0 {
			t.Fatalf("the address that the last session had is not known:\n%s", log)
		}
		return client.Status().Counts.Sessions == 2
	})
	await.Until(t, "look-up that failed", func() bool { return names.refused.Load() > 0 })
}
