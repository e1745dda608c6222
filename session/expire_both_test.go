package session_test

import (
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestAnExpiredSessionIsOverAndReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := established(t, client)
		p, l := held(t, s)
		c.all(func(p *faultproxy.Proxy) { p.FailReply(faultproxy.OpConnect, 1, 0) })
		c.all(func(p *faultproxy.Proxy) { p.Cut(false) })
		if err := over(t, s); !errors.Is(err, session.ErrExpired) {
			t.Errorf("the session ended with %v", err)
		}
		if l.Valid() || p.hold.Lease() != nil || s.State() != session.StateLost {
			t.Error("a lease outlives its session")
		}
		if next := established(t, client); next == s {
			t.Error("the expired session is used again")
		}
	})
}

// No request of one session is ever carried out in another.
func TestACallThatWaitsEndsWithItsSession(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: steady})
		s := established(t, client)
		must(t, s.EnsurePath(within(t, hang), "/e", nil))
		c.all(func(p *faultproxy.Proxy) { p.Refuse(true) }) // all, before the first cut: the client moves on at once
		c.all(func(p *faultproxy.Proxy) { p.Cut(false) })
		c.log.await(0, "session suspended")
		done := make(chan error, 20)
		for range cap(done) {
			go func() {
				_, err := s.Create(t.Context(), "/e/n-", nil, 2, nil)
				done <- err
			}()
		}
		c.all(func(p *faultproxy.Proxy) { p.FailReply(faultproxy.OpConnect, 1, 0); p.Refuse(false) })
		for range cap(done) {
			if err := <-done; !errors.Is(err, session.ErrExpired) {
				t.Errorf("err = %v", err)
			}
		}
		names, _, err := established(t, client).Children(within(t, hang), "/e")
		if err != nil || len(names) != 0 {
			t.Errorf("children %v, %v; want none", names, err)
		}
	})
}
