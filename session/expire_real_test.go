package session_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestTheSmallestTimeoutEverGrantedCounts(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, PerServer: func(i int) map[string]string {
		if i == 0 {
			return map[string]string{"maxSessionTimeout": "2000"}
		}
		return map[string]string{"maxSessionTimeout": "4000", "minSessionTimeout": "4000"}
	}})
	if e.External() {
		t.Skip("SKIP: the configuration of an external ensemble is not ours")
	}
	c := proxied(t, e)
	client, s := c.openVia(1, session.Config{Timeout: 9 * time.Second})
	if got := s.Timeout(); got != 4*time.Second {
		t.Fatalf("T = %v, want the 4s granted", got)
	}
	if got := s.LeaseTime(); got != 2*time.Second {
		t.Errorf("D = %v, want half of the 4s granted", got)
	}
	move := func(to int) {
		mark := c.log.mark()
		for i, p := range c.proxies {
			p.Refuse(i != to)
		}
		c.at(client).Cut(false)
		c.log.await(mark, "session connected")
	}
	move(0)
	if got := s.Timeout(); got != 2*time.Second {
		t.Errorf("T = %v after a server that grants 2s", got)
	}
	move(2)
	if got := s.Timeout(); got != 2*time.Second {
		t.Errorf("T = %v; it must not grow again", got)
	}
	if got := s.LeaseTime(); got != 2*time.Second {
		t.Errorf("D = %v; others have been told that it is 2s", got)
	}
	c.log.await(0, "the lease is cut to half of the session timeout")
	c.log.await(0, "servers grant different session timeouts")
}

func TestWhatIsNotZooKeeperIsNamedAndTheRestIsUsed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1024)) // unread bytes would make Close reset the connection
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
			conn.Close()
		}
	}()
	c := proxied(t, three(t))
	closed := c.proxies[1]
	closed.Unlisten()
	c.proxies[2].Refuse(true)
	c.proxies[0].Unlisten()
	client := open(t, l.Addr().String()+",does.not.exist.invalid:2181,"+c.connect(), session.Config{Timeout: time.Second})
	for {
		_, err = client.Session(within(t, time.Second))
		missing := ""
		for _, want := range []string{"it speaks HTTP", "resolve:", "refused", "closed without an answer"} {
			if !strings.Contains(err.Error(), want) {
				missing = want
			}
		}
		if missing == "" {
			break
		}
		if t.Context().Err() != nil {
			t.Fatalf("no %q in: %v", missing, err)
		}
	}
	must(t, c.proxies[0].Listen())
	established(t, client)
	for _, s := range client.Status().Servers {
		if good := s.Addr == c.proxies[0].Addr(); good != (s.Err == nil) {
			t.Errorf("%s: %v", s.Addr, s.Err)
		}
	}
}
