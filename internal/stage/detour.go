package stage

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Detour connects a client to a server that was the ensemble's leader, and does not know that
// another leader was elected. Such a server answers reads and syncs from its old state.
type Detour struct {
	Deposed *zktest.Server // leads until Begin

	s    *Stage
	host string
	from *zktest.Server                // the one that the client uses at first
	only atomic.Pointer[zktest.Server] // the only one that can be reached; nil: all can
}

// Detour opens a client at a follower.
func (s *Stage) Detour(host string, cfg session.Config) (*Detour, *session.Client) {
	s.T.Helper()
	d := &Detour{Deposed: s.Leader(), s: s, host: host, from: s.Followers()[0]}
	d.only.Store(d.from)
	cfg.Dial = d.dial
	return d, s.Open(host, cfg)
}

func (d *Detour) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if only := d.only.Load(); only != nil && only.Addr() != address {
		return nil, syscall.EHOSTUNREACH
	}
	return d.s.Host(d.host).Dial(ctx, network, address)
}

// Begin deposes the leader, and waits until another leads and the client is connected again. Then
// the answer to the client's next request of that operation is lost, and only the deposed leader
// can be reached. At that moment the channel is closed.
func (d *Detour) Begin(client *session.Client, op zktest.Op) (lost <-chan struct{}) {
	d.s.T.Helper()
	d.Deposed.StopPings() // so that it never notices that it is isolated
	d.Deposed.Isolate()
	for _, f := range d.s.Followers() { // a restart, because they would wait long before they elect another
		f.Kill()
		f.Start()
	}
	d.s.Eventually("another leader", func() bool { l := d.s.Leader(); return l != nil && l.ID() != d.Deposed.ID() })
	time.Sleep(Tick / 4)
	d.s.Eventually("connection", func() bool { return client.Status().State == session.StateConnected })
	rule := d.s.On(zktest.Match{Op: op, Host: d.host, Server: d.from.ID(), Nth: 1}, zktest.LoseReply)
	away := make(chan struct{})
	go func() {
		<-rule.Fired()
		d.only.Store(d.Deposed)
		close(away)
	}()
	return away
}

// End lets the deposed leader notice that it is deposed, and lets the client reach all servers.
func (d *Detour) End() {
	d.only.Store(nil)
	d.Deposed.ResumePings()
	d.Deposed.Rejoin()
}
