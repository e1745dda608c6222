package semaphore_test

import (
	"reflect"
	"testing"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// eachRelease runs f on servers that want READ for exists, and on servers that do not.
func eachRelease(t *testing.T, size int, f func(t *testing.T, s *stage)) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} {
		t.Run(string(release), func(t *testing.T) { onStage(t, size, zktest.Config{Release: release}, f) })
	}
}

// secretly makes a process whose znodes nobody else may read. The paths are everybody's.
func (s *stage) secretly(name string, cfg semaphore.Config) *process {
	s.T.Helper()
	shared.Must(s.T, s.Admin().EnsurePath(s.T.Context(), "/zkrecipe/beats", nil))
	s.release(s.process("first", semaphore.Config{Slots: cfg.Slots}).acquire())
	defer func(cfg session.Config) { s.Config = cfg }(s.Config)
	s.Config.Auth = []session.Auth{session.Digest(name, "secret")}
	cfg.ACL = zk.AuthACL(zk.PermAll)
	return s.process(name, cfg)
}

// The znodes of some are their own, as on a path where credentials are being rolled out.
func TestAHolderThatMustNotBeReadIsListedAsHidden(t *testing.T) {
	eachRelease(t, 3, func(t *testing.T, s *stage) {
		secret := s.secretly("secret", slotted)
		a, b := s.process("a", slotted), s.process("b", slotted)
		permits := []*semaphore.Permit{a.acquire(), secret.acquire(), b.acquire()}
		all, err := a.Holders(t.Context())
		if err != nil || len(all) != 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		if want := (semaphore.Holder{Node: permits[1].Node(), Hidden: true, Slots: []int{1}}); !reflect.DeepEqual(all[1], want) {
			t.Errorf("%+v; want %+v", all[1], want)
		}
		for i, id := range map[int]string{0: "a", 2: "b"} {
			if h := all[i]; h.ID != id || h.Hidden || h.Node != permits[i].Node() || h.Session == 0 {
				t.Errorf("beside it: %+v", h)
			}
		}
		if all, err := secret.Holders(t.Context()); err != nil || len(all) != 3 || all[1].ID != "secret" || all[1].Hidden {
			t.Errorf("its owner: %+v, %v", all, err)
		}
		for _, p := range permits {
			s.release(p)
		}
	})
}
