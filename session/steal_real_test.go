package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
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

// steal attaches a connection to somebody else's session and closes the session. The error tells
// why the server refuses that.
func steal(t *testing.T, server string, id int64) error {
	t.Helper()
	conn, err := net.Dial("tcp", server)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(hang)))
	shake := binary.BigEndian.AppendUint32(nil, 0)       // the protocol's version
	shake = binary.BigEndian.AppendUint64(shake, 0)      // seen so far
	shake = binary.BigEndian.AppendUint32(shake, 10_000) // T
	shake = binary.BigEndian.AppendUint64(shake, uint64(id))
	shake = append(binary.BigEndian.AppendUint32(shake, 16), passwordOf(id)...)
	send := func(p []byte) {
		_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
		must(t, err)
	}
	receive := func() ([]byte, error) {
		size := make([]byte, 4)
		if _, err := io.ReadFull(conn, size); err != nil {
			return nil, err
		}
		p := make([]byte, binary.BigEndian.Uint32(size))
		_, err := io.ReadFull(conn, p)
		return p, err
	}
	send(append(shake, 0))
	answer, err := receive()
	if err != nil || binary.BigEndian.Uint32(answer[4:]) == 0 {
		return fmt.Errorf("the handshake is refused: %x, %w", answer, err)
	}
	closing := int32(-11)
	send(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 1), uint32(closing)))
	if answer, err = receive(); err != nil {
		return err
	}
	if code := int32(binary.BigEndian.Uint32(answer[12:])); code != 0 {
		return fmt.Errorf("error %d", code)
	}
	return nil
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
	must(t, steal(t, e.Addrs()[0], s.ID()))
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
			path := "/" + strings.ReplaceAll(t.Name(), "/", "-")
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
