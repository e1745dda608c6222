package zktest_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// overTCP starts an ensemble on sockets, with raw clients. They send no pings, so the ticks are
// long: no session expires while a busy machine does something else.
func overTCP(t *testing.T, cfg zktest.Config) *bench {
	cfg.Tick = hang
	b := &bench{e: zktest.Start(t, cfg)}
	b.trace = &trace{t: t, sessions: map[int64]string{}, dial: func(server int) (net.Conn, error) {
		return b.dialFrom("", server)
	}}
	return b
}

func TestAKilledServerComesBackAtItsAddress(t *testing.T) {
	b := overTCP(t, zktest.Config{})
	a := b.on("a", 1)
	a.create("/x", nil, 0)
	s := b.e.Server(1)
	addr := s.Addr()
	s.Kill()
	a.expectClosed("killed")
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("a dead server takes connections")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if s.Addr() != addr {
		t.Errorf("address %s, want %s", s.Addr(), addr)
	}
	b.back(a, 1).exists("/x", false)
	b.want("err=0")
}

func TestHostsAreKnownOverTCP(t *testing.T) {
	b := overTCP(t, zktest.Config{})
	a, c := b.on("a", 1), b.on("c", 1)
	b.e.Host("a").Hold(zktest.ToServer)
	a.send(pack(1, 1, "/a", []byte{}, open, 0))
	c.create("/c", nil, 0)
	c.close()
	if got := paths(b.e.Nodes()); got != "/c" {
		t.Errorf("znodes %s", got)
	}
	b.e.Host("a").Heal()
	a.await(1, 1, "the create that waited")
	b.want("err=0")
	b.e.Host("a").Cut()
	a.expectClosed("cut")
}

func TestCloseEndsItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	e, err := zktest.New(zktest.Config{Servers: 3})
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for i := range 10 {
		conn, err := e.Host(fmt.Sprint(i)).Dial(context.Background(), "tcp", e.Addrs()[i%3])
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn) // never says a word
	}
	e.Close()
	for _, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(hang))
		if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("connection after Close: %v", err)
		}
		conn.Close()
	}
	// A goroutine that has said that it is done takes a moment to be gone.
	for end := time.Now().Add(hang); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// A client that does not read must not stop the others.
func TestAClientThatDoesNotReadHarmsNobody(t *testing.T) {
	b := overTCP(t, zktest.Config{})
	a, c := b.on("a", 1), b.on("c", 1)
	a.create("/big", []byte(strings.Repeat("x", 1<<19)), 0)
	for range 100 {
		a.post(4, "/big", false)
	}
	c.get("/", false)
	b.want("err=0")
	a.conn.Close()
}
