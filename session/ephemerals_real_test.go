package session_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

// An ensemble whose servers read 64 KiB loses its quorum for good when a session ends whose paths
// have 128 KiB.
func TestAnEnsembleOutlivesASessionThatIsFull(t *testing.T) {
	const buffer = 64 << 10
	e := ensemble.ForTest(t, ensemble.Config{Servers: 3, JVM: []string{"-Djute.maxbuffer=65536"}})
	admin := open(t, e.ConnectString(), session.Config{})
	client := open(t, e.ConnectString(), session.Config{EphemeralBytes: buffer})
	s := established(t, client)
	dir := "/" + strings.Repeat("x", 200)
	must(t, s.EnsurePath(within(t, hang), dir, nil))
	var creating sync.WaitGroup
	for range 1000 { // as many as may be under way
		creating.Go(func() {
			for {
				if _, err := s.CreatePlace(within(t, hang), dir, "lock-", nil, nil); err != nil {
					if !errors.Is(err, session.ErrTooManyEphemerals) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	creating.Wait()
	if used := client.Status().EphemeralBytes; used < buffer*9/10 {
		t.Errorf("%d bytes used", used)
	}
	client.Close()
	for _, server := range e.Servers() { // each has to read the transaction back
		must(t, server.Restart(within(t, hang)))
	}
	other := established(t, admin)
	names, _, err := other.Children(within(t, hang), dir)
	if err != nil || len(names) != 0 {
		t.Errorf("%d znodes left, err = %v", len(names), err)
	}
	_, err = other.Create(within(t, hang), "/alive", nil, 0, nil)
	must(t, err)
}
