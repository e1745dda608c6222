package faultproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The first bytes that a server of etcd sends are such: they look like a length.
func TestBytesOfAnotherProtocolPassWithTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"
		near, far := net.Pipe()
		p := NewInMemory("etcd", func(context.Context, string, string) (net.Conn, error) {
			return near, nil
		})
		defer p.Close()
		p.Raw()
		p.Delay(Both, time.Millisecond)
		c, err := p.Dial(t.Context(), "tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, way := range []struct{ from, to net.Conn }{{far, c}, {c, far}} {
			begun := time.Now()
			if _, err := way.from.Write([]byte(settings)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(settings))
			if err := way.to.SetReadDeadline(begun.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			_, err := io.ReadFull(way.to, got)
			if err != nil || string(got) != settings || time.Since(begun) != time.Millisecond {
				t.Errorf("%q after %v, %v", got, time.Since(begun), err)
			}
		}
	})
}

func TestAProxyInMemoryDelaysAndLosesInTheTimeOfABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Tick: time.Second})
		p := NewInMemory(e.ConnectString(), e.Dial)
		defer p.Close()
		client, err := session.Open(p.Addr(), session.Config{Timeout: 10 * time.Second, Dial: p.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s, err := client.Session(within(t))
		if err != nil {
			t.Fatal(err)
		}
		p.Delay(ToServer, time.Second)
		begun := time.Now()
		if err := s.Sync(within(t), "/"); err != nil || time.Since(begun) != time.Second {
			t.Errorf("a sync took %v, %v; want just the delay", time.Since(begun), err)
		}
		p.Delay(ToServer, 0)

		lost := p.LoseReply(OpSetData, 1)
		if _, err := s.Set(within(t), "/", nil, -1); session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("a write whose answer is lost: %v", err)
		}
		wait(t, lost)
		if err := s.Sync(within(t), "/"); err != nil { // it is connected again
			t.Fatal(err)
		}

		p.Unlisten()
		if _, err := p.Dial(t.Context(), "tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("connected while nobody listens: %v", err)
		}
		p.Cut(true)
		if err := p.WaitConnections(within(t), 0); err != nil {
			t.Fatal(err)
		}
		if err := p.Listen(); err != nil {
			t.Fatal(err)
		}
		if err := s.Sync(within(t), "/"); err != nil {
			t.Errorf("the session is lost: %v", err)
		}
	})
}
