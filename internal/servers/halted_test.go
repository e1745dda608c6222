package main

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

// An ensemble of 3.9.3 to 3.9.5 takes no more writes, and no more sessions, once it has been sent a write that it cannot
// read, while its servers say that all is well. Nobody leads then. When the ZooKeeper leader has been restarted, somebody
// does again.
func TestNobodyLeadsWhileTheEnsembleStandsStill(t *testing.T) {
	e := newest(t, ensemble.Config{Servers: 3})
	term := campaign(t, e.ConnectString(), "/halted", patient)
	leader, err := e.Leader(within(t))
	if err != nil {
		t.Fatal(err)
	}
	sendUnreadable(t, leader.Addr())
	select {
	case <-term.Context().Done():
	case <-within(t).Done():
		t.Fatal("the term goes on; does the ensemble?")
	}
	<-time.After(time.Until(term.Deadline()))
	if term.Valid() {
		t.Error("the term is valid while no write succeeds")
	}
	if mode, err := leader.Mode(within(t)); mode != "leader" {
		t.Errorf("the leader says it is %q, %v", mode, err)
	}
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := e.Heal(within(t)); err != nil {
		t.Fatal(err)
	}
	elect(t, "/halted", patient, e.ConnectString(), e.ConnectString())
}

// sendUnreadable sends a create that ends with its header, in a session of its own.
func sendUnreadable(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	hello := make([]byte, 4+45)
	binary.BigEndian.PutUint32(hello, 45)
	binary.BigEndian.PutUint32(hello[16:], 10_000) // the session timeout
	binary.BigEndian.PutUint32(hello[28:], 16)     // bytes of the password
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 4+37)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
}
