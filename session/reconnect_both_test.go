package session_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

// A server that accepts and stays silent must not cost the session while other servers work.
func TestASilentServerIsPassedByWhileReconnecting(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		const T = steady
		client, s := c.openVia(0, session.Config{Timeout: T})
		c.all(func(p *faultproxy.Proxy) { p.Refuse(true) })
		silent := c.proxies[1]
		silent.Refuse(false)
		silent.Silent(true)
		mark := c.log.mark()
		c.at(client).Cut(false)
		must(t, silent.WaitConnections(within(t, hang), 1)) // the handshake has begun
		begin := time.Now()
		c.proxies[2].Refuse(false)
		back := c.log.await(mark, "session connected")
		if err := s.Sync(within(t, hang), "/"); err != nil {
			t.Errorf("the session is lost: %v\n%s", err, c.log)
		}
		t.Logf("past a silent server in %.2f T", back.at.Sub(begin).Seconds()/T.Seconds())
	})
}

func TestASessionSurvivesASilenceOfAllServers(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		s := c.established(c.open(session.Config{Timeout: steady}))
		mark := c.log.mark()
		c.all(func(p *faultproxy.Proxy) { p.Drop(faultproxy.Both, true) })
		c.log.await(mark, "session suspended")
		c.all(func(p *faultproxy.Proxy) { p.Drop(faultproxy.Both, false); p.Cut(false) })
		c.log.await(mark, "session connected")
		must(t, s.Sync(within(t, hang), "/"))
	})
}

func TestASessionThatNobodyAnswersForIsReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client := c.open(session.Config{Timeout: time.Second})
		s := established(t, client)
		c.all(func(p *faultproxy.Proxy) { p.Drop(faultproxy.Both, true) })
		if err := over(t, s); !errors.Is(err, session.ErrPresumedLost) {
			t.Fatalf("the session ended with %v", err)
		}
		c.all(func(p *faultproxy.Proxy) { p.Drop(faultproxy.Both, false); p.Cut(false) })
		if next := established(t, client); next == s || next.ID() == s.ID() {
			t.Error("the lost session is used again")
		}
	})
}

// While requests do not reach the server any more, its watch events still come. They do not prove
// that the connection works.
func TestAPartitionToTheServerCountsAsSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		const T = steady
		client, s := c.openVia(0, session.Config{Timeout: T})
		ctx := within(t, hang)
		admin := c.admin()
		wake := make(chan struct{}, 1)
		must(t, s.EnsurePath(ctx, "/n", nil))
		const watches = 100
		for i := range watches {
			path := fmt.Sprintf("/n/%d", i)
			if _, err := s.Create(ctx, path, nil, 0, nil); err != nil {
				t.Fatal(err)
			}
			w := s.Watch(path, wake)
			_, _, err := w.Get(ctx)
			must(t, err)
			defer w.Stop()
		}
		mark := c.log.mark()
		at := c.at(client)
		at.Drop(faultproxy.ToServer, true)
		gone := make(chan struct{})
		go func() { c.log.await(mark, "session suspended"); close(gone) }()
		ticker := time.NewTicker(T / 20)
		defer ticker.Stop()
		events := 0
		for up := true; up && events < watches; events++ {
			must(t, admin.Delete(fmt.Sprintf("%s/n/%d", c.chroot, events), -1))
			select {
			case <-gone:
				up = false
			case <-ticker.C:
			}
		}
		<-gone
		c.log.await(mark, "giving up a connection")
		c.log.await(mark, "session connected")
		if err := s.Sync(ctx, "/"); err != nil {
			t.Errorf("the session is lost: %v\n%s", err, c.log)
		}
		t.Logf("%d events had come", events)
	})
}

func TestTheEnsembleMayStartAfterTheClient(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		c.all((*faultproxy.Proxy).Unlisten)
		client := c.open(session.Config{Timeout: steady})
		for range 3 {
			c.log.await(c.log.mark(), "cannot connect")
		}
		st := client.Status()
		if st.State != session.StateConnecting || st.Session != 0 || len(st.Servers) != 3 {
			t.Errorf("status %+v", st)
		}
		for _, p := range c.proxies {
			must(t, p.Listen())
		}
		must(t, established(t, client).Sync(within(t, hang), "/"))
	})
}
