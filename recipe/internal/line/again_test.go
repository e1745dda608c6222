package line

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// One that joins finds an empty path, which another library has made, and is about to write the first
// record. Meanwhile the path is deleted and made again by one with a longer lease.
func TestTheFirstRecordDoesNotReachAPathThatWasMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var brake atomic.Pointer[zktest.Host]
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}, OnRequest: func(r zktest.Request) {
			if r.Host == "a" && r.Op == zktest.OpGetData && r.Path == "/e" {
				if host := brake.Swap(nil); host != nil {
					go host.Hold(zktest.ToServer)
				}
			}
		}})
		open := func(host string, cfg session.Config) *session.Session {
			cfg.Timeout, cfg.Dial = 30*time.Second, e.Host(host).Dial
			client, err := session.Open(e.ConnectString(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			s, err := client.Session(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		a, b, admin := open("a", session.Config{}), open("b", session.Config{Lease: 10 * time.Second}), open("admin", session.Config{})
		if err := admin.EnsurePath(t.Context(), "/e", nil); err != nil {
			t.Fatal(err)
		}
		brake.Store(e.Host("a"))
		joined := make(chan error, 1)
		go func() {
			_, err := Join(t.Context(), a, Config{Dir: "/e", Style: Lock, Clock: clock.System})
			joined <- err
		}()
		time.Sleep(50 * time.Millisecond)
		for _, n := range e.Nodes() {
			if strings.HasPrefix(n.Path, "/e/") {
				if err := admin.Delete(t.Context(), n.Path, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := admin.Delete(t.Context(), "/e", -1); err != nil {
			t.Fatal(err)
		}
		if _, err := Join(t.Context(), b, Config{Dir: "/e", Style: Lock, Clock: clock.System}); err != nil {
			t.Fatal(err)
		}
		e.Host("a").Heal()
		if err := <-joined; err != ErrGone {
			t.Errorf("%v; want %v", err, ErrGone)
		}
		data, _, err := admin.Get(t.Context(), "/e")
		if r, ok := parseRecord(data); err != nil || !ok || r.lease != 10*time.Second {
			t.Errorf("the record is %q, %v", data, err)
		}
	})
}
