package zktest_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

type silent struct{}

func (silent) Printf(string, ...any) {}

// memDialer gives zk.Conn the ensemble's network.
func memDialer(h *zktest.Host) zk.Dialer {
	return func(network, address string, timeout time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		return h.Dial(ctx, network, address)
	}
}

func TestASessionExpiresInFakeTime(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 2 * time.Second})
			h := e.Host("a")
			a, _, err := zk.Connect(e.Addrs(), 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(silent{}), zk.WithDialer(memDialer(h)))
			if err != nil {
				t.Fatal(err)
			}
			b, _, err := zk.Connect(e.Addrs(), 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(silent{}), zk.WithDialer(memDialer(e.Host("b"))))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Create("/a", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Sync("/"); err != nil {
				t.Fatal(err)
			}
			_, _, gone, err := b.GetW("/a")
			if err != nil {
				t.Fatal(err)
			}
			await.Sleep(time.Minute)
			start := time.Now()
			h.Hold()
			<-gone
			if d := time.Since(start); d < 10*time.Second-10*time.Second/3 || d > 13*time.Second {
				t.Errorf("the ephemeral went after %v", d)
			}
			h.Heal()
			a.Close()
			b.Close()
			await.Sleep(30 * time.Second)
		})
	}
}
