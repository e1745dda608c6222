package session_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A sim is a session with a lease on a simulated ensemble, in simulated time.
type sim struct {
	*zktest.Ensemble
	host    *zktest.Host
	client  *session.Client
	session *session.Session
	lease   *session.Lease
	early   atomic.Bool // the session ended before the lease did
	ended   atomic.Bool
}

const simT = 4 * time.Second // two ticks: the least that servers grant

// simulate runs f in a bubble. Servers is how many of three the client knows.
func simulate(t *testing.T, seed int64, servers int, f func(t *testing.T, s *sim)) {
	synctest.Test(t, func(t *testing.T) {
		var holder atomic.Pointer[sim]
		e := zktest.Start(t, zktest.Config{
			Servers: 3, InMemory: true, Tick: simT / 2, Seed: seed, Logf: func(string, ...any) {},
			OnCommit: func(c zktest.Commit) {
				s := holder.Load()
				if s != nil && c.Op == zktest.OpCloseSession && c.Session == s.session.ID() {
					s.ended.Store(true)
					s.early.Store(s.lease.Valid())
				}
			},
		})
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
		path, err := s.session.CreateProtected(ctx, "/election", "n-", nil, nil)
		must(t, err)
		wake := make(chan struct{}, 1)
		s.session.Hold(path, wake)
		<-wake
		s.lease = s.session.Lease()
		holder.Store(s)
		f(t, s)
		s.client.Close()
	})
}

// The follower goes on answering pings and reads when the rest of the ensemble
// expires the session: that is when the lease must have ended.
func TestTheLeaseEndsBeforeASessionOnACutOffFollower(t *testing.T) {
	shortest := simT
	for seed := range int64(100) {
		rng := rand.New(rand.NewPCG(1, uint64(seed)))
		simulate(t, seed, 1, func(t *testing.T, s *sim) {
			time.Sleep(time.Duration(rng.Int64N(int64(3 * simT))))
			s.Followers()[0].Isolate()
			begin := time.Now()
			for s.lease.Valid() {
				time.Sleep(time.Millisecond)
			}
			shortest = min(shortest, time.Since(begin))
			for !s.ended.Load() {
				time.Sleep(10 * time.Millisecond)
			}
			if s.early.Load() {
				t.Errorf("seed %d: the session ended while the lease was valid", seed)
			}
		})
	}
	if shortest < simT/4 {
		t.Errorf("a lease lasted %.3f T after the last renewals, want T/4 at least: it is no use", shortest.Seconds()/simT.Seconds())
	}
	t.Logf("leases lasted %.3f T or longer", shortest.Seconds()/simT.Seconds())
}

// With all servers to choose from, the end of a server, or of its link to the leader,
// costs neither the session nor the lease.
func TestTheLeaseOutlivesTheLossOfOneServer(t *testing.T) {
	for _, fault := range []struct {
		name string
		do   func(s *sim, at *zktest.Server)
	}{
		{"frozen", func(s *sim, at *zktest.Server) { at.Freeze() }},
		{"killed", func(s *sim, at *zktest.Server) { at.Kill() }},
		{"isolated", func(s *sim, at *zktest.Server) { at.Isolate() }},
		{"silent", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop() }},
		{"deaf", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop(zktest.ToServer) }},
		{"mute", func(s *sim, at *zktest.Server) { s.ConnOf(s.session.ID()).Drop(zktest.ToClient) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for seed := range int64(30) {
				rng := rand.New(rand.NewPCG(2, uint64(seed)))
				simulate(t, seed, 3, func(t *testing.T, s *sim) {
					time.Sleep(time.Duration(rng.Int64N(int64(2 * simT))))
					at := s.Server(s.ConnOf(s.session.ID()).Server())
					if at.ID() == s.Leader().ID() && fault.name != "silent" && fault.name != "deaf" && fault.name != "mute" {
						return // the ensemble elects another leader: that takes longer
					}
					fault.do(s, at)
					for end := time.Now().Add(2 * simT); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
						if !s.lease.Valid() {
							t.Fatalf("seed %d: the lease has lapsed", seed)
						}
					}
				})
			}
		})
	}
}

// breakable is a connection on which writing can be made to fail, and nothing else.
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

// zk answers a request up to three times when writing fails while it is being closed,
// and was stuck for good when it did. A goroutine that is left would end the bubble with a
// panic.
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
			path, err := s.CreateProtected(t.Context(), "/e", "n-", nil, nil)
			must(t, err)
			broken.Store(true)
			s.Hold(path, make(chan struct{}, 1)) // a renewal is about to be written
			client.Close()
		})
	}
}
