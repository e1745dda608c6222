package election_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A candidate with new credentials comes to znodes whose ACLs name the old ones only. It ends, and
// says which znode it is and what is missing.
func TestNewCredentialsUnderAnOldACLEndRunAndNameWhatIsMissing(t *testing.T) {
	old := zk.DigestACL(zk.PermAll, "old", "secret")
	for name, c := range map[string]struct {
		path, beats []zk.ACL
		says        []string
	}{
		"heartbeats":        {zk.WorldACL(zk.PermAll), old, []string{"/zkrecipe/beats", "CREATE"}},
		"the election":      {old, zk.WorldACL(zk.PermAll), []string{"create " + stagePath + "/", "CREATE on its parent"}},
		"READ of it":        {zk.WorldACL(zk.PermAll &^ zk.PermRead), zk.WorldACL(zk.PermAll), []string{stagePath, "READ on it"}},
		"all, as it is now": {old, old, []string{stagePath, "CREATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.makeNode("/zkrecipe", "", zk.PermAll)
				admin := s.Admin()
				for path, acl := range map[string][]zk.ACL{stagePath: c.path, strings.TrimSuffix(beats, "/"): c.beats} {
					if err := admin.EnsurePath(t.Context(), path, acl); err != nil {
						t.Fatal(err)
					}
				}
				s.Config.Auth = []session.Auth{session.Digest("new", "secret")}
				err := s.runOnce(stagePath)
				t.Log(err)
				var permanent *recipe.PermanentError
				if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
					t.Fatalf("Run returned %v", err)
				}
				shared.Says(t, err, c.says...)
			})
		})
	}
}
