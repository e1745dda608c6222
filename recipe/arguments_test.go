package recipe_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

// makers make one of each recipe.
var makers = map[string]func(client *session.Client, path string, acl []zk.ACL) error{
	"election": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := election.New(client, path, election.Config{ACL: acl})
		return err
	},
	"lock": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := lock.New(client, path, lock.Config{ACL: acl})
		return err
	},
	"semaphore": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := semaphore.New(client, path, 1, semaphore.Config{ACL: acl})
		return err
	},
	"group": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := group.New(client, path, group.Config{ACL: acl})
		return err
	},
	"value": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := value.New(client, path, value.Config{ACL: acl})
		return err
	},
	"barrier": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := barrier.New(client, path, barrier.Config{ACL: acl})
		return err
	},
	"latch": func(client *session.Client, path string, acl []zk.ACL) error {
		_, err := latch.New(client, path, 1, latch.Config{ACL: acl})
		return err
	},
	"cache": func(client *session.Client, path string, _ []zk.ACL) error {
		_, err := cache.New(client, path, cache.Config{})
		return err
	},
}

func TestEveryRecipeRefusesAnACLThatNoServerTakes(t *testing.T) {
	client := stage.Offline(t)
	good := zk.WorldACL(zk.PermAll)[0]
	for name, with := range makers {
		if name == "cache" { // creates nothing
			continue
		}
		for _, bad := range []zk.ACL{{}, {Perms: 32, Scheme: "world", ID: "anyone"}, {Perms: zk.PermAll}} {
			err := with(client, "/a", []zk.ACL{good, bad})
			if err == nil || !strings.HasPrefix(err.Error(), name+": Config.ACL[1] is ") || !strings.Contains(err.Error(), "want permissions 1 to 31 and a scheme") {
				t.Errorf("%s with %+v: %v; want it to name the entry", name, bad, err)
			}
		}
		for _, acl := range [][]zk.ACL{nil, {}, {good}, zk.AuthACL(zk.PermRead)} {
			if err := with(client, "/a", acl); err != nil {
				t.Errorf("%s with %+v: %v", name, acl, err)
			}
		}
	}
}

// Only session.Open makes a client.
func TestEveryRecipeRefusesAClientThatIsNone(t *testing.T) {
	for name, with := range makers {
		for _, client := range []*session.Client{nil, new(session.Client)} {
			if err := with(client, "/a", nil); err == nil || !strings.HasPrefix(err.Error(), name+": the client is nil or zero; want one from session.Open") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// No server takes such a path, or there is no room for the names below it.
func TestEveryRecipeRefusesABadPath(t *testing.T) {
	client := stage.Offline(t)
	for name, with := range makers {
		for _, path := range []string{"", "a", "/a/", "/a//b", "/a\x00", "/" + strings.Repeat("x", 64<<10), strings.Repeat("/x", 850_000), strings.Repeat("x", 1_700_000)} {
			err := with(client, path, nil)
			if !errors.Is(err, zk.ErrInvalidPath) || !session.Permanent(err) || session.OutcomeOf(err) != session.OutcomeNotDone {
				t.Errorf("%s, a path of %d bytes: %v; want a zk.ErrInvalidPath", name, len(path), err)
			} else if text := err.Error(); !strings.HasPrefix(text, name+": path ") || len(text) > 200 {
				t.Errorf("%s, a path of %d bytes: an error of %d bytes: %.200s", name, len(path), len(text), text)
			}
		}
	}
}

// No recipe can have the root as its path, or the directory of the heartbeats. A cache can, because
// it only reads.
func TestEveryRecipeRefusesAPathThatIsNotItsOwn(t *testing.T) {
	client := stage.Open(t, "127.0.0.1:1", session.Config{Beats: "/app/alive"})
	for name, with := range makers {
		for path, says := range map[string]string{
			"/": "want one below it", "/app/alive": "is the directory of the heartbeats, session.Config.Beats", "/" + strings.Repeat("x", 4096): "path of 4097 bytes; want at most 4096",
		} {
			err := with(client, path, nil)
			if name == "cache" {
				stage.Must(t, err)
				continue
			}
			stage.Says(t, err, name+": path ", says)
			if !errors.Is(err, zk.ErrInvalidPath) {
				t.Errorf("%s: %v", name, err)
			}
		}
		stage.Must(t, with(client, "/app/alive/x", nil))
		stage.Must(t, with(client, "/"+strings.Repeat("x", 4095), nil))
	}
}
