package zktest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAReadInMemoryHonoursItsDeadline(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		conn := b.connect("a", 1).conn
		start := time.Now()
		conn.SetReadDeadline(start.Add(time.Second))
		_, err := conn.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want a timeout after 1s", err, time.Since(start))
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v is not a net.Error that timed out", err)
		}
		// A deadline set later wakes a Read that waits already.
		conn.SetReadDeadline(time.Time{})
		set := make(chan struct{})
		go func() {
			defer close(set)
			<-time.After(time.Second)
			conn.SetDeadline(time.Now())
		}()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want a timeout", err)
		}
		<-set // both deadlines
		if _, err := conn.Write([]byte{0}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v, want a timeout", err)
		}
		conn.SetDeadline(time.Time{})
		if _, err := conn.Write([]byte{0}); err != nil {
			t.Errorf("write after the deadline was lifted: %v", err)
		}
	})
}

func TestBytesInMemoryAreBufferedAndCutAnywhere(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		c := b.connect("a", 1)
		for _, x := range framed(pack(0, int64(0), 4000, int64(0), make([]byte, 16), false)) {
			if _, err := c.conn.Write([]byte{x}); err != nil {
				t.Fatal(err)
			}
		}
		c.welcome("opens a session byte by byte")
		b.want("session=s1")
		if _, err := c.conn.Write(framed(pack(1, 3, "/", false), pack(2, 3, "/", false))); err != nil {
			t.Fatal(err)
		}
		for xid := 1; xid <= 2; xid++ {
			c.await(xid, 3, "one of two exists at once")
			b.want("err=0")
		}
	})
}

func TestAClosedConnectionInMemoryEndsLikeASocket(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		a := b.on("a", 1)
		// The server closes: what it sent before still arrives, then EOF.
		a.post(3, "/", false)
		a.post(-11)
		if _, err := io.ReadAll(a.conn); err != nil {
			t.Errorf("read up to the end: %v", err)
		}
		if _, err := a.conn.Write([]byte{0}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after the end: %v, want EPIPE", err)
		}
		// The client closes.
		if err := a.conn.Close(); err != nil {
			t.Error(err)
		}
		_, errRead := a.conn.Read(make([]byte, 1))
		_, errWrite := a.conn.Write([]byte{0})
		for _, err := range []error{errRead, errWrite, a.conn.Close(), a.conn.SetDeadline(time.Time{})} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want net.ErrClosed", err)
			}
		}
		// A Read that waits is woken by Close.
		c := b.on("c", 1)
		go func() {
			<-time.After(time.Second)
			c.conn.Close()
		}()
		if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want net.ErrClosed", err)
		}
		// A reset.
		d := b.on("d", 1)
		b.e.Host("d").Cut()
		if _, err := d.conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want ECONNRESET", err)
		}
	})
}

func TestADialInMemoryFailsLikeASocket(t *testing.T) {
	inBubble(t, zktest.Config{}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := b.e.Dial(ctx, "tcp", "192.0.2.99:2181"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, want ECONNREFUSED", err)
		}
		cancel()
		if _, err := b.e.Dial(ctx, "tcp", b.e.Addrs()[0]); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
		b.e.Close()
		if _, err := b.e.Dial(context.Background(), "tcp", b.e.Addrs()[0]); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, want ECONNREFUSED", err)
		}
	})
}

// A bubble ends only when every goroutine in it has, so this is also the proof that Close leaves
// nothing behind.
func TestCloseLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := zktest.New(zktest.Config{Servers: 3, InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := e.Dial(context.Background(), "tcp", e.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		e.Server(2).Kill()
		e.Close()
		e.Close()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want ECONNRESET", err)
		}
		// Faults on what is closed do nothing.
		e.Server(1).Freeze()
		e.Host("a").Hold()
		if err := e.Server(2).Start(); err == nil {
			t.Error("a server started in a closed ensemble")
		}
	})
}
