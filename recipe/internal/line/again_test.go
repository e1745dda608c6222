package line

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// One that joins finds an empty path, which another library has made, and is about to write the
// first record. Meanwhile the path is deleted and made again by one with a longer lease.
func TestTheFirstRecordDoesNotReachAPathThatWasMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trap stage.Trap
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}, OnRequest: trap.Requested})
		const timeout = 30 * time.Second
		a, admin := openWith(t, e, "a", session.Config{Timeout: timeout}), openWith(t, e, "admin", session.Config{Timeout: timeout})
		b := openWith(t, e, "b", session.Config{Timeout: timeout, Lease: 10 * time.Second})
		if err := admin.EnsurePath(t.Context(), "/e", nil); err != nil {
			t.Fatal(err)
		}
		trap.Next("a", zktest.OpGetData, "/e", func() { e.Host("a").Hold(zktest.ToServer) })
		joined := make(chan error, 1)
		go func() {
			_, err := Join(t.Context(), a, Config{Dir: "/e", Style: Lock, Clock: clock.System})
			joined <- err
		}()
		await.Sleep(50 * time.Millisecond)
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
