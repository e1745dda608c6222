package session_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

// interfere_sim_test.go does the same on the simulated ensemble.
func TestInterferenceWithTheHeartbeatOnRealServers(t *testing.T) {
	for name, by := range map[string]struct {
		do   func(t *testing.T, c *cluster, at *faultproxy.Proxy, beat string)
		want error // of the session
	}{
		"deleted": {func(t *testing.T, c *cluster, at *faultproxy.Proxy, beat string) {
			must(t, c.admin().Delete(beat, -1))
		}, session.ErrNoHeartbeat},
		"set by hand": {func(t *testing.T, c *cluster, at *faultproxy.Proxy, beat string) {
			_, err := c.admin().Set(beat, []byte("hello"), -1)
			must(t, err)
		}, nil},
		"a beat's answer is lost": {func(t *testing.T, c *cluster, at *faultproxy.Proxy, beat string) {
			must(t, at.LoseReply(faultproxy.OpMulti, 1).Wait(within(t, hang)))
		}, nil},
		"a beat is lost": {func(t *testing.T, c *cluster, at *faultproxy.Proxy, beat string) {
			must(t, at.LoseRequest(faultproxy.OpMulti, 1).Wait(within(t, hang)))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := proxied(t, three(t))
			client := c.open(session.Config{Timeout: steady, Lease: leased})
			s := established(t, client)
			p, l := held(t, s)
			beats := client.Status().Counts.Beats
			by.do(t, c, c.at(client), c.chroot+s.HeartbeatPath(s.ID()))
			if by.want != nil {
				if err := over(t, s); !errors.Is(err, by.want) || l.Valid() {
					t.Errorf("the session ended with %v; its lease runs: %v", err, l.Valid())
				}
				return
			}
			await.Until(t, "fourth beat", func() bool { // by then another lease would be needed
				must(t, s.Err())
				return client.Status().Counts.Beats >= beats+4
			})
			if p.hold.Lease() != l {
				t.Errorf("the lease has lapsed\n%s", c.log)
			}
		})
	}
}

// When the lease of a silent session is over, another session takes over from it, and the silent
// session ends.
func TestASilentSessionIsTakenOverFromOnRealServers(t *testing.T) {
	c := proxied(t, three(t))
	cfg := session.Config{Timeout: steady, Lease: 2 * time.Second}
	s := established(t, c.open(cfg))
	heir := established(t, open(t, c.ConnectString()+c.chroot, cfg))
	p, l := held(t, s)
	wake := make(chan struct{}, 1)
	listener := heir.Listen(s.ID(), wake)
	defer listener.Stop()
	await := func(want session.HeartbeatState) {
		t.Helper()
		for listener.Heartbeat().State != want {
			awaitWake(t, wake)
		}
	}
	await(session.HeartbeatBeating)
	if heard := listener.Heartbeat(); heard.LeaseTime != s.LeaseTime() {
		t.Errorf("heard %+v", heard)
	}
	c.all(func(p *faultproxy.Proxy) { p.Hold(faultproxy.Both) })
	await(session.HeartbeatSilent)
	if l.Valid() {
		t.Error("it is silent while its lease runs")
	}
	must(t, listener.TakeOver(t.Context(), listener.Heartbeat(), p.path))
	c.all(func(p *faultproxy.Proxy) { p.Release(faultproxy.Both) })
	if err := over(t, s); !errors.Is(err, session.ErrRevoked) {
		t.Errorf("the session that was silent: %v", err)
	}
	await(session.HeartbeatGone)
}

// On a follower, the event of a deletion comes before the answer to every later beat. So no place
// is held for longer than a lease after its deletion.
func TestNoPlaceOutlivesItsZnodeByMoreThanALease(t *testing.T) {
	c := proxied(t, three(t))
	_, s := c.openVia(c.follower(), session.Config{Timeout: steady, Lease: time.Second / 2})
	admin := c.admin()
	for i := range 20 {
		p := hold(t, s, fmt.Sprintf("/%d", i))
		l := p.lease(t)
		must(t, admin.Delete(c.chroot+p.path, -1))
		deleted := time.Now()
		await.Until(t, "end of the lease", func() bool {
			since, rest := time.Since(deleted), l.Remaining() // in this order, so that no delay of ours counts
			if rest > 0 && since+rest > s.LeaseTime() {
				t.Errorf("%v after its deletion it is held for %v more", since, rest)
				return true
			}
			return rest <= 0
		})
		p.release()
	}
}
