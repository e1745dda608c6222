package election_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Servers drop the connection on a request that is longer than their jute.maxbuffer, and do not say
// why. A candidate whose data are too large is told so, and nobody else is disturbed.
func TestDataThatTheServersDoNotTakeAreSaidToBeTooLarge(t *testing.T) {
	const lease = 10 * time.Second // each failure costs a connection, and on a busy machine another one takes long
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, MaxSessionTimeout: 2 * lease, JVM: []string{"-Djute.maxbuffer=65536"}})
	for _, first := range []bool{false, true} {
		client := open(t, e, session.Config{Timeout: 2 * lease, Lease: lease})
		id := mustSession(t, client).ID()
		path := "/large-alone"
		var term *election.Term
		if !first { // others of this process lead
			path = "/large"
			term = run(t, client, "/small", "small", election.Config{}).term()
		}
		large := run(t, client, path, "large", election.Config{Data: bytes.Repeat([]byte{'x'}, 100_000)})
		for n := range 5 {
			ev := large.events.wait(election.EventFailed, n+1)
			if !strings.Contains(ev.Err.Error(), "jute.maxbuffer") || !strings.Contains(ev.Err.Error(), "100") {
				t.Errorf("it fails with %v", ev.Err)
			}
		}
		if term != nil && !term.Valid() {
			t.Errorf("another election's term has ended: %v", term.Context().Err())
		}
		if now := client.Status().Session; now != id {
			t.Error("the session was lost")
		}
		large.stop()
		fits := run(t, client, path, "fits", election.Config{Data: bytes.Repeat([]byte{'x'}, 60_000)})
		term = fits.term()
		_, err := term.Multi(within(t), &zk.SetDataRequest{Path: path, Data: make([]byte, 100_000), Version: -1})
		if session.OutcomeOf(err) != session.OutcomeUnknown || !strings.Contains(err.Error(), "jute.maxbuffer") || !term.Valid() {
			t.Errorf("a multi that is too large: %v", err)
		}
		client.Close()
	}
}
