package election_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
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
		go func() { followed <- each(ctx, o, func(c election.Candidate) { seen <- c }) }()
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
		if err := <-followed; !errors.Is(err, done) || !strings.Contains(err.Error(), "election: /e: no other leader: ") {
			t.Errorf("Next has returned %v", err)
		}
		next.Release(t.Context())
		await.Sleep(time.Second)
	})
}

// On servers before 3.7.3, 3.8.4 and 3.9.2 exists needs no READ. So it tells what kind of znode is
// ahead, although its data are hidden.
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

// eachRelease runs f on servers that want READ for exists, and on servers that do not.
func eachRelease(t *testing.T, f func(t *testing.T, s *stage)) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} {
		t.Run(string(release), func(t *testing.T) { onStage(t, zktest.Config{Release: release}, f) })
	}
}

// owner is the credential of those who let nobody else read their znodes.
var owner = session.Digest("u", "p")

// enterSecretly starts a candidate whose znode nobody else may read. The paths are everybody's.
func (s *stage) enterSecretly(name string) *candidate {
	s.T.Helper()
	s.makePath()
	if err := s.Admin().EnsurePath(s.T.Context(), strings.TrimSuffix(beats, "/"), nil); err != nil {
		s.T.Fatal(err)
	}
	defer func(cfg session.Config) { s.Config = cfg }(s.Config)
	s.Config.Auth = []session.Auth{owner}
	return s.enter(name)
}

// setACL changes a znode's ACL, as its owner would.
func (s *stage) setACL(path string, acl []zk.ACL) {
	s.T.Helper()
	dial := func(network, address string, _ time.Duration) (net.Conn, error) {
		return s.Host("owner").Dial(context.Background(), network, address)
	}
	conn, _, err := zk.Connect([]string{s.Leader().Addr()}, stageT, zk.WithLogInfo(false), zk.WithDialer(dial))
	if err != nil {
		s.T.Fatal(err)
	}
	defer conn.Close()
	if err := conn.AddAuth(owner.Scheme, []byte(owner.Credential)); err != nil {
		s.T.Fatal(err)
	}
	if _, err := conn.SetACL(path, acl, -1); err != nil {
		s.T.Fatal(err)
	}
}

// hidden is what is told of somebody whose znode we have no permission to read.
func hidden(node string) election.Candidate { return election.Candidate{Node: node, Hidden: true} }

func same(a, b election.Candidate) bool {
	return a.Node == b.Node && a.Hidden == b.Hidden && a.ID == b.ID && a.Token == b.Token && a.Session == b.Session && bytes.Equal(a.Data, b.Data)
}

// soon is when the end of a hidden leader has been noticed: it is looked for every T/4.
const soon = stageT/4 + stageTick/10

func TestFollowLeaderTellsOfAHiddenLeaderAndGoesOn(t *testing.T) {
	eachRelease(t, func(t *testing.T, s *stage) {
		secret := s.enterSecretly("secret")
		first := secret.term()
		b := s.enterWith("b", election.Config{FollowLeader: true}, untilTheEnd)
		if ev := b.events.wait(election.EventLeaderChanged, 1); !same(ev.Leader, hidden(first.Node())) || ev.Token != 0 {
			t.Errorf("told of %+v, token %d; want %s, hidden", ev.Leader, ev.Token, first.Node())
		}
		b.events.wait(election.EventHeir, 1)
		all, err := b.Candidates(t.Context())
		if err != nil || len(all) != 2 || !same(all[0], hidden(first.Node())) || all[1].ID != "b" || all[1].Hidden {
			t.Errorf("candidates %+v, %v", all, err)
		}
		await.Sleep(3 * stageT)
		if n := b.events.count(election.EventLeaderChanged); n != 1 || !first.Valid() {
			t.Errorf("%d times told of one leader, valid: %v", n, first.Valid())
		}
		secret.stop()
		next := b.term()
		await.Sleep(soon)
		if n := b.events.count(election.EventLeaderChanged); n != 2 {
			t.Fatalf("told of %d leaders; events:\n%v", n, b.events)
		}
		if ev := b.events.wait(election.EventLeaderChanged, 2); ev.Leader.ID != "b" || ev.Leader.Hidden || ev.Token != next.Token() {
			t.Errorf("told of %+v; want b, token %d", ev.Leader, next.Token())
		}
		again := s.enterSecretly("secret")
		again.events.wait(election.EventHeir, 1)
		next.Resign()
		third := again.term()
		if ev := b.events.wait(election.EventLeaderChanged, 3); !same(ev.Leader, hidden(third.Node())) {
			t.Errorf("told of %+v; want %s, hidden", ev.Leader, third.Node())
		}
		if n := b.events.count(election.EventFailed); n != 0 {
			t.Errorf("%d failures; events:\n%v", n, b.events)
		}
	})
}

// What was read of a leader before its znode was hidden may be out of date.
func TestALeaderThatHidesIsReportedAsHidden(t *testing.T) {
	eachRelease(t, func(t *testing.T, s *stage) {
		secret := s.enterSecretly("secret")
		term := secret.term()
		s.setACL(term.Node(), zk.WorldACL(zk.PermAll))
		o := observe(t, s.Client("observer"), stagePath)
		defer o.Close()
		current(t, o, "leader", func(l election.Candidate) bool { return l.ID == "secret" && l.Token == term.Token() })
		s.setACL(term.Node(), zk.AuthACL(zk.PermAll))
		if err := term.Proclaim(t.Context(), []byte("moved")); err != nil {
			t.Fatal(err)
		}
		current(t, o, "hidden leader", func(l election.Candidate) bool { return same(l, hidden(term.Node())) })
		s.setACL(term.Node(), zk.WorldACL(zk.PermAll))
		current(t, o, "leader's new data", func(l election.Candidate) bool { return string(l.Data) == "moved" && !l.Hidden })
	})
}

// To find out who leads next takes READ on the path.
func TestWhoCannotFollowTheLeaderForAWhileSaysSoAndGoesOn(t *testing.T) {
	eachRelease(t, func(t *testing.T, s *stage) {
		var log bytes.Buffer
		a := s.enter("a")
		a.term()
		b := s.enterWith("b", election.Config{FollowLeader: true, Logger: slog.New(slog.NewTextHandler(&log, nil))}, untilTheEnd)
		b.events.wait(election.EventHeir, 1)
		b.events.wait(election.EventLeaderChanged, 1)
		s.setACL(stagePath, zk.WorldACL(zk.PermAll&^zk.PermRead))
		a.stop()
		term := b.term()
		ev := b.events.wait(election.EventFailed, 1)
		if !strings.Contains(ev.Err.Error(), unfollowed) || !errors.Is(ev.Err, zk.ErrNoAuth) {
			t.Errorf("told of %v; want that %s, because of %v", ev.Err, unfollowed, zk.ErrNoAuth)
		}
		await.Sleep(time.Minute)
		if told, failed := b.events.count(election.EventLeaderChanged), b.events.count(election.EventFailed); told != 1 || failed != 1 {
			t.Errorf("told of %d leaders and %d failures", told, failed)
		}
		s.setACL(stagePath, zk.WorldACL(zk.PermAll))
		await.Sleep(longestDelay + stageTick)
		if n := b.events.count(election.EventLeaderChanged); n != 2 {
			t.Fatalf("told of %d leaders; events:\n%v", n, b.events)
		}
		if l := b.events.wait(election.EventLeaderChanged, 2).Leader; l.ID != "b" || l.Token != term.Token() {
			t.Errorf("told of %+v; want b, token %d", l, term.Token())
		}
		if !term.Valid() {
			t.Error("it has cost the term")
		}
		b.stop()
		synctest.Wait() // the log has a goroutine of its own
		if n := strings.Count(log.String(), unfollowed); n != 1 {
			t.Errorf("logged %d times:\n%s", n, log.String())
		}
	})
}

// longestDelay is between two attempts to read the path.
const longestDelay = 15 * time.Second

func TestAnObserverSaysEachTimeThatItMustNotReadThePath(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var log bytes.Buffer
		el, err := election.New(s.Client("observer"), stagePath, election.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		o := el.Observe()
		defer o.Close()
		leads := func(id string) func(election.Candidate) bool {
			return func(l election.Candidate) bool { return l.ID == id }
		}
		a := s.enter("a")
		current(t, o, "first leader", leads("a"))
		for i, id := range []string{"b", "c"} {
			rule := s.On(zktest.Match{Op: zktest.OpGetChildren2, Host: "observer"}, zktest.Fail(zktest.CodeNoAuth))
			next := s.enter(id)
			next.events.wait(election.EventHeir, 1)
			before := a
			a = next
			before.stop()
			await.Sleep(time.Minute)
			if l, known := o.Current(); !known || l.ID == id {
				t.Errorf("known: %v, %+v", known, l)
			}
			rule.Remove()
			await.Sleep(longestDelay + stageTick)
			current(t, o, "next leader", leads(id))
			if n := strings.Count(log.String(), unfollowed); n != i+1 {
				t.Errorf("logged %d times after %d refusals:\n%s", n, i+1, log.String())
			}
		}
	})
}

func TestWhoMayNotReadThePathFromTheBeginningIsToldSoForGood(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.makePath()
		refused := s.On(zktest.Match{Op: zktest.OpGetChildren2, Path: stagePath}, zktest.Fail(zktest.CodeNoAuth))
		isFor := func(err error) {
			t.Helper()
			var permanent *recipe.PermanentError
			if !errors.As(err, &permanent) || permanent.Path != stagePath || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("%v; want a PermanentError of %s", err, stagePath)
			}
		}
		o := observe(t, s.Client("observer"), stagePath)
		defer o.Close()
		l, err := o.Next(s.Within(patience))
		if isFor(err); l.Node != "" {
			t.Errorf("told of %+v", l)
		}

		var well atomic.Bool // until then it does not read the path in order to join
		unwell := errors.New("not yet")
		a := s.enterWith("a", election.Config{FollowLeader: true, Healthy: func(context.Context) error {
			if !well.Load() {
				return unwell
			}
			return nil
		}}, untilTheEnd)
		ev := a.events.Next(t, "end of following", 0, 1, func(ev election.Event) bool {
			return ev.Kind == election.EventFailed && !errors.Is(ev.Err, unwell)
		})
		if isFor(ev.Err); !strings.Contains(ev.Err.Error(), unfollowedForGood) {
			t.Errorf("told of %v; want that %s", ev.Err, unfollowedForGood)
		}
		refused.Remove()
		well.Store(true)
		a.term()
		await.Sleep(time.Minute)
		if n := a.events.count(election.EventLeaderChanged); n != 0 {
			t.Errorf("told of %d leaders", n)
		}
	})
}
