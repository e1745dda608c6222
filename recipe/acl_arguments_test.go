package recipe_test

import (
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
)

func TestEveryRecipeRefusesAnACLThatNoServerTakes(t *testing.T) {
	client := stage.Offline(t)
	makers := map[string]func(acl []zk.ACL) error{
		"election": func(acl []zk.ACL) error { _, err := election.New(client, "/a", election.Config{ACL: acl}); return err },
		"lock":     func(acl []zk.ACL) error { _, err := lock.New(client, "/a", lock.Config{ACL: acl}); return err },
		"semaphore": func(acl []zk.ACL) error {
			_, err := semaphore.New(client, "/a", 1, semaphore.Config{ACL: acl})
			return err
		},
		"group":   func(acl []zk.ACL) error { _, err := group.New(client, "/a", group.Config{ACL: acl}); return err },
		"value":   func(acl []zk.ACL) error { _, err := value.New(client, "/a", value.Config{ACL: acl}); return err },
		"barrier": func(acl []zk.ACL) error { _, err := barrier.New(client, "/a", barrier.Config{ACL: acl}); return err },
		"latch":   func(acl []zk.ACL) error { _, err := latch.New(client, "/a", 1, latch.Config{ACL: acl}); return err },
	}
	good := zk.WorldACL(zk.PermAll)[0]
	for name, with := range makers {
		for _, bad := range []zk.ACL{{}, {Perms: 32, Scheme: "world", ID: "anyone"}, {Perms: zk.PermAll}} {
			err := with([]zk.ACL{good, bad})
			if err == nil || !strings.HasPrefix(err.Error(), name+": Config.ACL[1] is ") || !strings.Contains(err.Error(), "want permissions 1 to 31 and a scheme") {
				t.Errorf("%s with %+v: %v; want it to name the entry", name, bad, err)
			}
		}
		for _, acl := range [][]zk.ACL{nil, {}, {good}, zk.AuthACL(zk.PermRead)} {
			if err := with(acl); err != nil {
				t.Errorf("%s with %+v: %v", name, acl, err)
			}
		}
	}
}
