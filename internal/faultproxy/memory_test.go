package faultproxy

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

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
