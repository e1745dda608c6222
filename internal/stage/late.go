package stage

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Late makes requests of a client come late: after later requests of the same session. One thread
// of a server holds them. The client loses that connection and goes on at another server. When it
// is back at the first one, the thread goes on, too.
type Late struct {
	Client *session.Client

	s             *Stage
	host          string
	first, second *zktest.Server
	only          atomic.Pointer[zktest.Server] // that the client can reach; nil: none
}

// Late opens the client, at a follower.
func (s *Stage) Late(host string, cfg session.Config) *Late {
	s.T.Helper()
	f := s.Followers()
	l := &Late{s: s, host: host, first: f[0], second: f[1]}
	l.only.Store(l.first)
	cfg.Dial = l.dial
	l.Client = s.Open(host, cfg)
	s.Session(l.Client)
	return l
}

func (l *Late) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if only := l.only.Load(); only == nil || only.Addr() != address {
		return nil, syscall.EHOSTUNREACH
	}
	return l.s.Host(l.host).Dial(ctx, network, address)
}

// Hold makes the client's next request that matches come late. The channel is closed when the first
// server has read it.
func (l *Late) Hold(m zktest.Match) (read <-chan struct{}) {
	l.s.Leader().StopPings() // the leader's next ping to the follower would let the request go on
	m.Host, m.Nth = l.host, 1
	return l.s.On(m, zktest.LoseTouch).Fired()
}

// Cut cuts the connection. The client reaches no server until Move or Back.
func (l *Late) Cut() {
	l.only.Store(nil)
	l.s.Host(l.host).Cut()
}

// Move lets the client reach the second server alone.
func (l *Late) Move() { l.reach(l.second) }

// Back moves the client to the first server.
func (l *Late) Back() { l.reach(l.first) }

func (l *Late) reach(server *zktest.Server) {
	l.s.T.Helper()
	l.only.Store(server)
	l.s.Host(l.host).Cut()
	id := l.Client.Status().Session
	l.s.Eventually("connection", func() bool {
		at := l.s.ConnOf(id)
		return at != nil && at.Server() == server.ID()
	})
}

// Happen lets the thread of the first server go on. The server forwards what it has read.
func (l *Late) Happen() {
	l.s.Leader().ResumePings()
	await.Sleep(Tick)
}
