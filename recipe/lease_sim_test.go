package recipe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Who is refused because of the lease is told why no longer one is allowed. Nobody is told to raise
// a record where there are somebody else's data.
func TestALeaseErrorSaysWhereTheLimitComesFrom(t *testing.T) {
	const D = 6 * time.Second
	for name, of := range map[string]struct {
		data    string
		allowed time.Duration
		says    []string
		never   string
	}{
		"a record": {"zkrecipe line 1\nlease 1s\nsettled 0\n", time.Second,
			[]string{"the record in /x allows 1s at most", "a shorter lease, or raise the record"}, "cannot read"},
		"a record of a later release": {"zkrecipe line 2\nlease 2s\n", 2 * time.Second,
			[]string{"/x takes 2s at most", "holds a record that this release cannot read", "a shorter lease or another path"}, "raise"},
		"somebody else's data": {"http://10.0.0.1/", session.DefaultLease,
			[]string{"/x takes 4s at most", "holds somebody else's data", "a shorter lease or another path"}, "record"},
	} {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				client := s.Open("a", session.Config{Timeout: 15 * time.Second, Lease: D})
				stage.Must(s.T, s.Admin().EnsureNode(s.T.Context(), "/x", []byte(of.data), nil))
				_, err := must(lock.New(client, "/x", lock.Config{})).Acquire(s.Within(stage.Patience))
				var lease *recipe.LeaseError
				if !errors.As(err, &lease) || lease.Path != "/x" || lease.Lease != D || lease.Allowed != of.allowed {
					s.T.Fatalf("error %v", err)
				}
				stage.Says(s.T, err, append(of.says, "session.Config.Lease is 6s", "operations.md")...)
				if text := err.Error(); strings.Contains(text, of.never) || strings.Contains(text, "candidate") {
					s.T.Errorf("it says %q", text)
				}
			})
		})
	}
}

// The record of a semaphore is that of its permits.
func TestALeaseErrorOfASemaphoreNamesItsRecord(t *testing.T) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		use := func(lease time.Duration) error {
			client := s.Open(lease.String(), session.Config{Timeout: 15 * time.Second, Lease: lease})
			p, err := must(semaphore.New(client, "/x", 1, semaphore.Config{})).Acquire(s.Within(stage.Patience))
			if err == nil {
				err = p.Release(s.T.Context())
			}
			return err
		}
		stage.Must(s.T, use(time.Second))
		stage.Says(s.T, use(2*time.Second), "session.Config.Lease is 2s", "the record in /x/leases allows 1s at most", "raise the record")
	})
}
