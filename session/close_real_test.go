package session_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestCloseAtAnyMomentLeavesNothing(t *testing.T) {
	e := three(t)
	calls := func(s *session.Session, n int) *sync.WaitGroup {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { s.Sync(context.Background(), "/") })
		}
		return &wg
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, c *cluster, client *session.Client)
	}{
		{"at once", func(*testing.T, *cluster, *session.Client) {}},
		{"while nobody listens", func(t *testing.T, c *cluster, client *session.Client) {
			c.log.await(0, "cannot connect")
		}},
		{"during a handshake", func(t *testing.T, c *cluster, client *session.Client) {
			c.proxies[0].Silent(true)
			must(t, c.proxies[0].Listen())
			must(t, c.proxies[0].WaitConnections(within(t, hang), 1))
		}},
		{"connected", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			established(t, client)
		}},
		{"with a lease", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			held(t, established(t, client))
		}},
		{"with calls under way", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			s := established(t, client)
			hold := c.at(client).HoldReply(faultproxy.OpSync, 1)
			t.Cleanup(calls(s, 50).Wait)
			must(t, hold.Wait(within(t, hang)))
		}},
		{"while the server is silent", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			s := established(t, client)
			p := c.at(client)
			p.Drop(faultproxy.Both, true)
			t.Cleanup(calls(s, 50).Wait)
		}},
		{"suspended", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			s := established(t, client)
			c.all((*faultproxy.Proxy).Unlisten)
			c.all(func(p *faultproxy.Proxy) { p.Cut(false) })
			c.log.await(0, "session suspended")
			t.Cleanup(calls(s, 50).Wait)
		}},
		{"expired", func(t *testing.T, c *cluster, client *session.Client) {
			listen(t, c)
			s := established(t, client)
			c.all(func(p *faultproxy.Proxy) { p.FailReply(faultproxy.OpConnect, 1, 0) })
			c.all(func(p *faultproxy.Proxy) { p.Cut(false) })
			over(t, s)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := proxied(t, e)
			cl.all((*faultproxy.Proxy).Unlisten)
			var open sockets
			client, err := session.Open(cl.connect(), session.Config{Timeout: 2 * time.Second, Dial: open.dial, Logger: slog.New(cl.log)})
			must(t, err)
			c.do(t, cl, client)
			var wg sync.WaitGroup
			for range 3 { // from several sides, and again
				wg.Go(func() { client.Close() })
			}
			begin := time.Now()
			wg.Wait()
			took := time.Since(begin)
			client.Close()
			if n := open.count(); n != 0 {
				t.Errorf("%d sockets are open", n)
			}
			if left := leftovers(); left != "" {
				t.Errorf("goroutines are left:\n%s", left)
			}
			if took > 30*time.Second {
				t.Errorf("Close took %v", took)
			}
			if _, err := client.Session(t.Context()); !errors.Is(err, session.ErrClosed) {
				t.Errorf("afterwards: %v", err)
			}
			if st := client.Status(); st.State != session.StateLost || st.LeaseRemaining != 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func listen(t *testing.T, c *cluster) {
	t.Helper()
	for _, p := range c.proxies {
		must(t, p.Listen())
	}
}

// A Dial that ignores its context must not keep Close for ever.
func TestCloseDoesNotWaitForADialThatHangs(t *testing.T) {
	c := proxied(t, three(t))
	called, release := make(chan struct{}), make(chan struct{})
	client := c.open(session.Config{Timeout: time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
		close(called)
		<-release
		return nil, net.ErrClosed
	}})
	<-called
	client.Close()
	close(release)
	c.log.await(0, "abandoning")
	if left := leftovers(); left != "" {
		t.Errorf("goroutines are left once it returned:\n%s", left)
	}
}
