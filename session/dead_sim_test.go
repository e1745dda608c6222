package session_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// amongTheDead runs f in a bubble, several times. Most of the connect string is out of date: those
// addresses drop everything that is sent to them.
func amongTheDead(t *testing.T, servers int, f func(t *testing.T, e *zktest.Ensemble, client *session.Client)) {
	for seed := range int64(20) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: servers, InMemory: true, Latency: time.Millisecond, Seed: seed, Logf: func(string, ...any) {}})
			connect := e.ConnectString()
			for i := range 20 {
				connect += fmt.Sprintf(",dead%d:2181", i)
			}
			client := open(t, connect, session.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "dead") {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}
				return e.Host("a").Dial(ctx, network, address)
			}})
			f(t, e, client)
			client.Close()
		})
	}
}

func TestManyDeadAddressesCostASessionTimeoutAtMost(t *testing.T) {
	var took []time.Duration
	amongTheDead(t, 1, func(t *testing.T, _ *zktest.Ensemble, client *session.Client) {
		begun, T := time.Now(), client.Status().Timeout
		established(t, client)
		took = append(took, time.Since(begun))
		if time.Since(begun) > T {
			t.Errorf("it took %v to connect", time.Since(begun))
		}
	})
	slices.Sort(took)
	t.Logf("median %v, longest %v", took[len(took)/2], took[len(took)-1])
}

func TestManyDeadAddressesCostNoLease(t *testing.T) {
	amongTheDead(t, 3, func(t *testing.T, e *zktest.Ensemble, client *session.Client) {
		s := established(t, client)
		_, lease := held(t, s)
		await.Sleep(10 * time.Second) // anywhere between two beats
		for range 5 {
			e.Host("a").Cut()
			await.Sleep(time.Duration(1+s.ID()&7) * time.Second)
		}
		if !lease.Valid() {
			t.Error("the lease was lost")
		}
	})
}

// If a server refuses at once, that tells nothing about how long a handshake takes.
func TestRefusalsDoNotMakeLaterAttemptsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doors{dead: "none", e: zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: time.Second, Latency: time.Millisecond, Logf: func(string, ...any) {}})}
		client := open(t, d.e.ConnectString(), session.Config{Dial: d.dial})
		s := established(t, client)
		_, lease := held(t, s)
		d.set("none", true)
		d.e.Host("a").Cut()
		await.Sleep(s.LeaseTime() / 4)
		d.set("", false)
		await.Sleep(s.LeaseTime() * 3 / 4)
		if !lease.Valid() {
			t.Errorf("the lease was lost; session %v", s.State())
		}
		client.Close()
	})
}

// The host of the ensemble's leader is dead, and the other servers refuse until they have elected
// another. The order in which servers are tried is random, so it is tried several times.
func TestADeadServerAmongThoseThatRefuseDoesNotTakeLongerEachTime(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			d := &doors{dead: "none", e: zktest.Start(t, zktest.Config{Servers: 5, InMemory: true, Tick: time.Second, Latency: time.Millisecond, Logf: func(string, ...any) {}})}
			client := open(t, d.e.ConnectString(), session.Config{Dial: d.dial})
			s := established(t, client)
			held(t, s)
			D, begun := s.LeaseTime(), time.Now()
			d.set("", true)
			d.e.Host("a").Cut()
			await.Sleep(D * 3 / 8)
			d.mu.Lock()
			d.refuse = false
			d.mu.Unlock()
			_, _, err := s.Get(t.Context(), "/")
			must(t, err)
			if took := time.Since(begun); took > D*11/16 {
				t.Errorf("connected after %v, with a lease of %v", took, D)
			}
			client.Close()
		})
	}
}

// A handshake may never be answered: see Session.patience.
func TestAHandshakeThatIsNeverAnsweredCostsNoSessionTimeout(t *testing.T) {
	for seed := range int64(20) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 2 * time.Second, Latency: time.Millisecond, Seed: seed, Logf: func(string, ...any) {}})
			client := open(t, e.ConnectString(), session.Config{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond, Dial: e.Host("a").Dial})
			s := established(t, client)
			held(t, s)
			D := s.LeaseTime()
			for _, x := range e.Servers() {
				x.Freeze()
			}
			await.Sleep(2 * D)
			unanswered := e.On(zktest.Match{Op: zktest.OpConnect}, zktest.DropReply)
			back := time.Now()
			for _, x := range e.Servers() {
				x.Thaw()
			}
			await.Sleep(10 * time.Millisecond)
			if unanswered.Hits() == 0 {
				t.Error("nothing was asked")
			}
			unanswered.Remove()
			_, _, err := s.Get(t.Context(), "/")
			must(t, err)
			if took := time.Since(back); took > 5*D/2 {
				t.Errorf("seed %d: connected after %v, with a lease of %v", seed, took, D)
			}
			client.Close()
		})
	}
}

// doors is a Dial to an ensemble.
type doors struct {
	e *zktest.Ensemble

	mu     sync.Mutex // guards what follows
	dead   string     // the address that drops everything that is sent to it; "": the one that is tried first
	refuse bool       // all others
}

func (d *doors) set(dead string, refuse bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.refuse = dead, refuse
}

func (d *doors) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.dead = cmp.Or(d.dead, address)
	dead, refused := d.dead == address, d.refuse
	d.mu.Unlock()
	switch {
	case dead:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case refused:
		return nil, syscall.ECONNREFUSED
	}
	return d.e.Host("a").Dial(ctx, network, address)
}
