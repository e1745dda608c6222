package stage

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Servers are the servers that clients connect to: a Stage, an ensemble.Ensemble, or proxies in
// front of one of these.
type Servers interface {
	Addrs() []string
	ConnectString() string
	Dial(ctx context.Context, network, address string) (net.Conn, error) // a session.Config.Dial
}

// OnBoth runs a test twice: in a bubble on simulated servers, and then on real servers, unless
// package need skips that. three starts or finds the real servers: it is ensemble.Common, or calls
// ensemble.Shared. The test has to use the testing.T that it gets, the Dial of the servers, and
// paths of its own, as Path returns them. It may ask whether the servers are a *Stage or an
// *ensemble.Ensemble only to look at what no client sees. What only a bubble can show is for
// Site.Pass and Site.Soon.
func OnBoth(t *testing.T, three func(ensemble.TB) *ensemble.Ensemble, test func(t *testing.T, servers Servers)) {
	t.Helper()
	t.Run("zktest", func(t *testing.T) {
		cfg := zktest.Config{Tick: 500 * time.Millisecond, MaxSessionTimeout: time.Minute} // what tests ask of real ones
		On(t, cfg, func(s *Stage) { test(s.T, s) })
	})
	t.Run("real", func(t *testing.T) { test(t, three(t)) })
}

// Proxies starts a proxy in front of each of the servers. They are closed when the test ends.
func Proxies(t testing.TB, servers Servers) (all faultproxy.Proxies) {
	t.Helper()
	if _, tcp := servers.(*ensemble.Ensemble); tcp {
		return faultproxy.AllForTest(t, servers.Addrs())
	}
	for _, addr := range servers.Addrs() {
		p := faultproxy.NewInMemory(addr, servers.Dial)
		t.Cleanup(p.Close)
		all = append(all, p)
	}
	return all
}
