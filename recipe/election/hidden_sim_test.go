package election_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Credentials are rolled out, and for a while some candidates have them and others do not.
func TestAnObserverOutlivesALeaderThatItMustNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		connect := func(host string, auth ...session.Auth) *session.Client {
			client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host(host).Dial, Auth: auth})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			return client
		}
		plain := connect("plain")
		// The path is everybody's; the leader's znode is the leader's alone.
		s, err := plain.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/e", "/zkrecipe/beats"} {
			if err := s.EnsurePath(t.Context(), path, nil); err != nil {
				t.Fatal(err)
			}
		}
		secret, err := election.New(connect("secret", session.Digest("u", "p")), "/e", election.Config{ID: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		term, err := secret.Campaign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := observe(t, plain, "/e")
		defer o.Close()
		seen := make(chan election.Candidate, 10)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		followed := make(chan error, 1)
		go func() { followed <- o.Follow(ctx, func(c election.Candidate) { seen <- c }) }()
		if c := <-seen; !c.Hidden || c.Node != term.Node() || c.ID != "" {
			t.Errorf("%+v; want %s, hidden", c, term.Node())
		}
		if err := term.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		open, err := election.New(plain, "/e", election.Config{ID: "plain", FollowLeader: true})
		if err != nil {
			t.Fatal(err)
		}
		next, err := open.Campaign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for c := range seen {
			if c.Node == next.Node() {
				if c.ID != "plain" || c.Hidden {
					t.Errorf("%+v", c)
				}
				break
			}
		}
		done := errors.New("done")
		cancel(done)
		if err := <-followed; err != done {
			t.Errorf("Follow has ended with %v", err)
		}
		next.Release(t.Context())
		await.Sleep(time.Second)
	})
}

// On servers before 3.7.3, 3.8.4 and 3.9.2 exists needs no READ. So it tells what kind of znode is ahead,
// although its data are hidden.
func TestAHiddenPersistentZnodeAheadIsReported(t *testing.T) {
	onStage(t, zktest.Config{Release: zktest.Release380}, func(t *testing.T, s *stage) {
		s.makePath()
		admin := s.Admin()
		name := stagePath + "/_c_6d9c7c1e-1cb2-4f6e-8f0a-b1fd3b2d0d2b-latch-"
		planted, err := admin.Create(t.Context(), name, nil, zk.FlagSequence, zk.DigestACL(zk.PermAll, "other", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		a := s.enter("a")
		if ev := a.events.wait(election.EventBlocked, 1); ev.Node != planted {
			t.Errorf("blocked by %q; want %q", ev.Node, planted)
		}
		await.Sleep(2 * stageT)
		if n := a.events.count(election.EventBlocked); n != 1 {
			t.Errorf("told %d times", n)
		}
		if n := a.events.count(election.EventElected); n != 0 {
			t.Error("leads past a znode ahead")
		}
		if err := admin.Delete(t.Context(), planted, -1); err != nil {
			t.Fatal(err)
		}
		a.term()
	})
}
