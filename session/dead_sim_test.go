package session_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// amongTheDead runs f in a bubble, several times. Most of the connect string is out of date: those
// addresses swallow what is sent to them.
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
		time.Sleep(10 * time.Second) // anywhere between two beats
		for range 5 {
			e.Host("a").Cut()
			time.Sleep(time.Duration(1+s.ID()&7) * time.Second)
		}
		if !lease.Valid() {
			t.Error("the lease was lost")
		}
	})
}
