package session_test

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A sim is a session with a lease on a simulated ensemble, in simulated time.
type sim struct {
	*zktest.Ensemble
	host    *zktest.Host
	client  *session.Client
	session *session.Session
	place   *place
	lease   *session.Lease
}

const simT = 4 * time.Second // two ticks: the least that servers grant

// simulate runs f in a bubble. Servers is how many of three the client knows.
func simulate(t *testing.T, seed int64, servers int, f func(t *testing.T, s *sim)) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{
			Servers: 3, InMemory: true, Tick: simT / 2, Seed: seed, Logf: func(string, ...any) {}})
		s := &sim{Ensemble: e, host: e.Host("a")}
		addr := e.Addrs()[e.Followers()[0].ID()-1]
		if servers == 3 {
			addr = e.ConnectString()
		}
		s.client = open(t, addr, session.Config{Timeout: simT, Dial: s.host.Dial})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var err error
		s.session, err = s.client.Session(ctx)
		must(t, err)
		s.place, s.lease = held(t, s.session)
		f(t, s)
		s.client.Close()
	})
}

// If the client knows all servers, the loss of one server, or of its link to the leader, costs
// neither the session nor the lease.
func TestTheLeaseOutlivesTheLossOfOneServer(t *testing.T) {
	for _, fault := range []struct {
		name string
		do   func(s *sim, at *zktest.Server)
	}{
		{"frozen", func(s *sim, at *zktest.Server) { at.Freeze() }},
		{"killed", func(s *sim, at *zktest.Server) { at.Kill() }},
		{"isolated", func(s *sim, at *zktest.Server) { at.Isolate() }},
		{"both-dropped", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop() }},
		{"to-server-dropped", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop(zktest.ToServer) }},
		{"to-client-dropped", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop(zktest.ToClient) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for seed := range int64(30) {
				rng := rand.New(rand.NewPCG(2, uint64(seed)))
				simulate(t, seed, 3, func(t *testing.T, s *sim) {
					await.Sleep(time.Duration(rng.Int64N(int64(2 * simT))))
					at := s.Server(s.ConnOf(s.session.ID()).Server())
					if at.ID() == s.Leader().ID() && !strings.HasSuffix(fault.name, "dropped") {
						return // the ensemble elects another leader: that takes longer
					}
					fault.do(s, at)
					for end := time.Now().Add(2 * simT); time.Now().Before(end); await.Sleep(10 * time.Millisecond) {
						if !s.lease.Valid() {
							t.Fatalf("seed %d: the lease has lapsed", seed)
						}
					}
				})
			}
		})
	}
}

// breakable is a connection on which a test can make writes fail, and nothing else.
type breakable struct {
	net.Conn
	broken *atomic.Bool
}

func (b breakable) Write(p []byte) (int, error) {
	if b.broken.Load() {
		return 0, syscall.EPIPE
	}
	return b.Conn.Write(p)
}

// If a write fails while zk is being closed, zk answers a request up to three times. Then zk hung
// for ever. If a goroutine is left, the bubble ends with a panic.
func TestCloseIsNotStuckWhenWritesFailAtTheSameTime(t *testing.T) {
	for seed := range int64(500) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{InMemory: true, Tick: simT / 2, Seed: seed,
				Logf: func(string, ...any) {}})
			var broken atomic.Bool
			client, err := session.Open(e.ConnectString(), session.Config{Timeout: simT,
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := e.Dial(ctx, network, address)
					return breakable{conn, &broken}, err
				}})
			must(t, err)
			s := established(t, client)
			must(t, s.EnsurePath(t.Context(), "/e", nil))
			path, err := s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
			must(t, err)
			broken.Store(true)
			wake := make(chan struct{}, 1)
			s.Hold(s.Watch(path, wake), wake) // a beat is about to be written
			client.Close()
		})
	}
}
