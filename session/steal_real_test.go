package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

// passwordOf returns the password that servers give to a session: it depends only on the session's
// number (ZooKeeperServer.generatePasswd, which takes java.util.Random).
func passwordOf(id int64) []byte {
	const mask = 1<<48 - 1
	state := (uint64(id) ^ 0xB3415C00 ^ 0x5DEECE66D) & mask
	var p []byte
	for range 4 {
		state = (state*0x5DEECE66D + 0xB) & mask
		p = binary.LittleEndian.AppendUint32(p, uint32(state>>16))
	}
	return p
}

// attachment is a connection of a test that has asked to be attached to a session.
type attachment struct {
	t    *testing.T
	conn net.Conn
}

// attach asks a server to attach a connection to a session, and does not wait for the answer.
func attach(t *testing.T, server string, id int64) attachment {
	t.Helper()
	conn, err := net.Dial("tcp", server)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(hang)))
	shake := binary.BigEndian.AppendUint32(nil, 0)       // the protocol's version
	shake = binary.BigEndian.AppendUint64(shake, 0)      // seen so far
	shake = binary.BigEndian.AppendUint32(shake, 10_000) // T
	shake = binary.BigEndian.AppendUint64(shake, uint64(id))
	shake = append(binary.BigEndian.AppendUint32(shake, 16), passwordOf(id)...)
	a := attachment{t, conn}
	a.send(append(shake, 0))
	return a
}

func (a attachment) send(p []byte) {
	a.t.Helper()
	_, err := a.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
	must(a.t, err)
}

func (a attachment) receive() ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(a.conn, size); err != nil {
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint32(size))
	_, err := io.ReadFull(a.conn, p)
	return p, err
}

// attached waits until the server has attached the connection.
func (a attachment) attached() error {
	answer, err := a.receive()
	if err != nil || binary.BigEndian.Uint32(answer[4:]) == 0 {
		return fmt.Errorf("the handshake is refused: %x, %w", answer, err)
	}
	return nil
}

// steal attaches a connection to somebody else's session and closes the session. The error tells
// why the server refuses that.
func steal(t *testing.T, server string, id int64) error {
	t.Helper()
	a := attach(t, server, id)
	defer a.conn.Close()
	if err := a.attached(); err != nil {
		return err
	}
	closing := int32(-11)
	a.send(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 1), uint32(closing)))
	answer, err := a.receive()
	if err != nil {
		return err
	}
	if code := int32(binary.BigEndian.Uint32(answer[12:])); code != 0 {
		return fmt.Errorf("error %d", code)
	}
	return nil
}

// A follower answers only the last of several handshakes of one session, if it has them validated
// by the leader at the same time. The others are never answered. A server that has stood still may
// read a handshake that was given up after a later one. So a client that comes back to the same
// server may wait for nothing: see Session.patience.
func TestAFollowerAnswersOneOfSeveralHandshakes(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{SyncLimit: 120})
	if e.External() {
		t.Skip("SKIP: the leader of an external ensemble cannot be frozen")
	}
	ctx := within(t, hang)
	leader, err := e.Leader(ctx)
	must(t, err)
	follower, err := e.Follower(ctx)
	must(t, err)
	p := faultproxy.ForTest(t, follower.Addr())
	s := established(t, open(t, p.Addr(), session.Config{Timeout: 10 * time.Second}))
	p.Refuse(true) // from now on the session's client does not come back
	p.Cut(false)
	validated := func(what string, n int) {
		t.Helper()
		await.Until(t, what, func() bool {
			text, err := os.ReadFile(follower.LogPath())
			must(t, err)
			return strings.Count(string(text), fmt.Sprintf("%s 0x%x", what, s.ID())) == n
		})
	}
	must(t, leader.Freeze())
	first := attach(t, follower.Addr(), s.ID())
	validated("Revalidating client:", 1)
	last := attach(t, follower.Addr(), s.ID())
	validated("Revalidating client:", 2)
	must(t, leader.Thaw())
	must(t, last.attached())
	validated("Missing session", 1) // the leader's second answer belongs to no connection
	must(t, first.conn.SetDeadline(time.Now()))
	if p, err := first.receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first is answered: %x, %v", p, err)
	}
}

// No ACL is checked when somebody ends a session. Everybody who can read a znode's Stat, or can
// send "dump" to a server, learns the session's number.
func TestTheNumberOfASessionIsEnoughToEndIt(t *testing.T) {
	e := three(t)
	client := open(t, e.ConnectString(), session.Config{Timeout: steady, Auth: []session.Auth{session.Digest("ann", "secret")}})
	s := established(t, client)
	conn, err := net.Dial("tcp", e.Addrs()[0])
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("dump"))
	must(t, err)
	text, err := io.ReadAll(conn)
	must(t, err)
	if !strings.Contains(string(text), fmt.Sprintf("0x%x", s.ID())) {
		t.Logf("this server does not know the session's number: %s", text) // no leader
	}
	// The client may learn from another server that its session is over, and connect to this one.
	// For that, this server closes the session's former connection, even if it still owes the
	// answer.
	if err := steal(t, e.Addrs()[0], s.ID()); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(hang):
		t.Fatal("the session goes on")
	}
	if !errors.Is(s.Err(), session.ErrExpired) {
		t.Errorf("it ended with %v", s.Err())
	}
	established(t, client)
}

// Servers that demand SASL refuse such a request from a client that has not authenticated.
func TestAnUnauthenticatedClientEndsNoSessionWhereServersDemandSASL(t *testing.T) {
	e := withJAAS(t, "-Dzookeeper.sessionRequireClientSASLAuth=true")
	s := established(t, open(t, e.ConnectString(), session.Config{Timeout: steady, SASL: session.SASLDigest("ann", "ann's secret")}))
	err := steal(t, e.Addrs()[0], s.ID())
	t.Log(err)
	if err == nil {
		t.Error("the session was closed by somebody else")
	}
	// The request has moved the session to another connection for a moment, and the client has
	// moved it back.
	must(t, s.EnsurePath(within(t, hang), "/mine", nil))
}

// What is visible of a client in the network: the password of Auth, but not that of SASL; all data.
func TestWhatIsVisibleWithoutTLS(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    session.Config
		hidden bool
	}{
		"auth": {session.Config{Auth: []session.Auth{session.Digest("ann", "ann's secret")}}, false},
		"sasl": {session.Config{SASL: session.SASLDigest("ann", "ann's secret")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var e *ensemble.Ensemble
			if e = three(t); c.hidden {
				e = withJAAS(t)
			}
			tap := &wiretap{}
			c.cfg.Timeout, c.cfg.Dial = steady, tap.dial
			s := established(t, open(t, e.ConnectString(), c.cfg))
			path := stage.Path(t)
			must(t, s.EnsureNode(within(t, hang), path, []byte("the payload"), nil))
			sent := tap.sent()
			if hidden := !bytes.Contains(sent, []byte("ann's secret")); hidden != c.hidden {
				t.Errorf("the password is hidden: %v; want %v", hidden, c.hidden)
			}
			if !bytes.Contains(sent, []byte("the payload")) {
				t.Error("the data are hidden")
			}
		})
	}
}
