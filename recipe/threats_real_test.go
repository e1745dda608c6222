package recipe_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

type silent struct{}

func (silent) Printf(string, ...any) {}

// An administrator has made a chroot for the service, and closed the root, as
// recipe/docs/threats.md says. The service needs nothing else, and others get nowhere.
func TestAServiceLivesInAChrootThatAnAdministratorHasMade(t *testing.T) {
	e := ensemble.ForTest(t, ensemble.Config{Servers: 1})
	if e.External() {
		t.Skip("SKIP: the root of an external ensemble is not ours")
	}
	admin, _, err := zk.Connect(e.Addrs(), 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err = admin.Create("/billing", nil, 0, zk.WorldACL(zk.PermAll)); err == nil {
		_, err = admin.SetACL("/billing", zk.DigestACL(zk.PermAll, "service", "secret"), -1)
	}
	if err == nil {
		_, err = admin.SetACL("/", zk.WorldACL(zk.PermRead), -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	client, err := session.Open(e.ConnectString()+"/billing", session.Config{Auth: credentials})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	defer useAll(t, client)()
	if _, _, err := admin.Children("/billing"); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("others list the chroot: %v", err)
	}
	if _, err := admin.Create("/more", nil, 0, zk.WorldACL(zk.PermAll)); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("others create znodes: %v", err)
	}
}
