package election_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestACandidateWhoseZnodeIsDeletedRejoinsAtTheTail(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		admin := mustSession(t, admins(t, e))
		all, first := lineUp(t, path,
			open(t, e, session.Config{}),
			open(t, e, session.Config{}),
			open(t, e, session.Config{}),
			open(t, e, session.Config{}))
		expel := func(who int, joined int) {
			t.Helper()
			node := all[who].events.wait(election.EventJoined, joined).Node
			if err := admin.Delete(within(t), node, -1); err != nil {
				t.Fatal(err)
			}
			if back := all[who].events.wait(election.EventJoined, joined+1); back.Position != 3 || back.Node == node {
				t.Errorf("%d is back with %d ahead", who, back.Position)
			}
		}
		expel(2, 1) // a waiter; the line is now a b d c
		expel(1, 1) // the heir; a d c b
		all[3].events.wait(election.EventHeir, 1)
		if !first.Valid() {
			t.Error("the leader is gone")
		}
		checkerOf(t, path).expel()
		expel(0, 1) // the leader; d c b a
		if ev := all[0].events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonNodeDeleted {
			t.Errorf("deposed: %v", ev.Reason)
		}
		if first.Valid() || !errors.Is(context.Cause(first.Context()), recipe.ReasonNodeDeleted) {
			t.Errorf("after the deletion: valid %v, cause %v", first.Valid(), context.Cause(first.Context()))
		}
		all[3].term().Resign()
		all[2].term().Resign()
		all[1].term().Resign()
		all[0].term()
	})
}

func TestTheElectionGoesOnWhenItsPathIsDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		admin := mustSession(t, admins(t, e))
		// The path is missing, parents included: it is made.
		path += "/below/it"
		all, first := lineUp(t, path, open(t, e, session.Config{}), open(t, e, session.Config{}))
		wipe := func() {
			// Candidates come back while it is being emptied.
			for {
				err := admin.Delete(within(t), path, -1)
				if err == nil || errors.Is(err, zk.ErrNoNode) {
					return
				}
				for _, name := range children(t, admins(t, e), path) {
					admin.Delete(within(t), path+"/"+name, -1)
				}
			}
		}
		checkerOf(t, path).expel()
		wipe()
		<-first.Context().Done()
		await.Until(t, "line of two", func() bool {
			names, _, err := admin.Children(within(t), path) // it is missing until the first of them makes it again
			return err == nil && len(names) == 2 && all[0].Status().Node != "" && all[1].Status().Node != ""
		})
		await.Until(t, "leader", func() bool {
			return all[0].Status().State == election.StateLeading || all[1].Status().State == election.StateLeading
		})
		for _, c := range all {
			c.stop()
		}
		wipe() // empty now
		again := run(t, all[0].client, path, "again", election.Config{})
		if term := again.term(); term.Token() <= first.Token() {
			t.Errorf("token %d after %d", term.Token(), first.Token())
		}
	})
}

func TestForeignChildrenAreIgnoredAndLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := admins(t, e)
		admin := mustSession(t, client)
		if err := admin.EnsurePath(within(t), path, nil); err != nil {
			t.Fatal(err)
		}
		foreign := []string{"foo", "_c_x", "lock-", "n_abc", "n_0000000000", "latch-1", "ünïcödé-0000000001", strings.Repeat("x", 300), "lock-9999999999"}
		for _, name := range foreign {
			if _, err := admin.Create(within(t), path+"/"+name, nil, zk.FlagPersistent, nil); err != nil {
				t.Fatal(err)
			}
		}
		all, first := lineUp(t, path, client, open(t, e, session.Config{}))
		first.Resign()
		all[1].term()
		observed, err := handle(t, client, path).Candidates(within(t))
		if err != nil || len(observed) == 0 || len(observed) > 2 {
			t.Errorf("candidates %+v, %v", observed, err)
		}
		for _, c := range all {
			c.stop()
		}
		// A create that was under way is taken back in the background.
		await.Until(t, "line of strangers only", func() bool { return len(children(t, client, path)) == len(foreign) })
	})
}

func TestAContenderAheadIsWaitedFor(t *testing.T) {
	for name, flags := range map[string]int32{"ephemeral": zk.FlagEphemeral, "persistent": zk.FlagPersistent} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				path := pathFor(t)
				client := admins(t, e)
				admin := mustSession(t, client)
				if err := admin.EnsurePath(within(t), path, nil); err != nil {
					t.Fatal(err)
				}
				// The lowest number that there is, as the order wraps: just before zero.
				planted := path + "/lock--000000001"
				if _, err := admin.Create(within(t), planted, []byte("planted"), flags, nil); err != nil {
					t.Fatal(err)
				}
				a := run(t, open(t, e, session.Config{}), path, "a", election.Config{})
				a.events.wait(election.EventHeir, 1)
				b := run(t, open(t, e, session.Config{}), path, "b", election.Config{})
				if ev := b.events.wait(election.EventJoined, 1); ev.Position != 2 {
					t.Errorf("joined with %d ahead", ev.Position)
				}
				if flags == zk.FlagPersistent {
					if ev := a.events.wait(election.EventBlocked, 1); ev.Node != planted {
						t.Errorf("blocked by %q", ev.Node)
					}
				}
				line, err := a.Candidates(within(t))
				if err != nil || len(line) != 3 || line[0].ID != "planted" || (line[0].Session == 0) != (flags == zk.FlagPersistent) {
					t.Errorf("candidates %+v, %v", line, err)
				}
				if st := a.Status(); st.Ahead != path+"/lock--000000001" || st.State != election.StateHeir {
					t.Errorf("status %+v", st)
				}
				if n := a.events.count(election.EventElected); n != 0 {
					t.Error("leads past a contender ahead")
				}
				if err := admin.Delete(within(t), planted, -1); err != nil {
					t.Fatal(err)
				}
				a.term()
				if n := a.events.count(election.EventBlocked); (n == 1) != (flags == zk.FlagPersistent) {
					t.Errorf("%d blocked events", n)
				}
			})
		})
	}
}

func TestAHiddenContenderAheadIsPolled(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		// Everybody may use it, no matter which test is the first on these servers.
		if err := mustSession(t, admins(t, e)).EnsurePath(within(t), strings.TrimSuffix(beats, "/"), nil); err != nil {
			t.Fatal(err)
		}
		owner := open(t, e, session.Config{Auth: []session.Auth{session.Digest("other", "secret")}})
		a := run(t, owner, path, "a", election.Config{ACL: zk.AuthACL(zk.PermAll)})
		a.term()
		// The path was made with the session's ACL: open it to all.
		shared.SetACL(t, e, path, zk.WorldACL(zk.PermAll), session.Digest("other", "secret"))
		b := run(t, open(t, e, session.Config{}), path, "b", election.Config{FollowLeader: true})
		b.events.wait(election.EventHeir, 1)
		if ev := b.events.wait(election.EventLeaderChanged, 1); !same(ev.Leader, hidden(a.Status().Node)) || ev.Token != 0 {
			t.Errorf("told of %+v, token %d; want %s, hidden", ev.Leader, ev.Token, a.Status().Node)
		}
		line, err := b.Candidates(within(t))
		if err != nil || len(line) != 2 || !line[0].Hidden || line[0].ID != "" || line[0].Token != 0 || line[1].Hidden || line[1].ID != "b" {
			t.Errorf("candidates %+v, %v", line, err)
		}
		a.stop()
		next := b.term()
		ev := b.events.Next(t, "event of the next leader", 0, 1, func(ev election.Event) bool {
			return ev.Kind == election.EventLeaderChanged && ev.Leader.ID == "b"
		})
		if ev.Leader.Hidden || ev.Token != next.Token() {
			t.Errorf("told of %+v, token %d; want b, token %d", ev.Leader, ev.Token, next.Token())
		}
	})
}

func TestAWaiterWhoseZnodeWentWhileItWasAwayDoesNotLeadOnIt(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		all, first := lineUp(t, path, open(t, e, session.Config{}), open(t, w, session.Config{}),
			open(t, e, session.Config{}))
		old := all[1].events.wait(election.EventJoined, 1)
		admin := mustSession(t, admins(t, e))
		w.crash()
		// First its own znode goes, then the one ahead. On the new connection it finds both gone.
		if err := admin.Delete(within(t), old.Node, -1); err != nil {
			t.Fatal(err)
		}
		first.Resign()
		second := all[2].term()
		w.heal()
		if ev := all[1].events.wait(election.EventJoined, 2); ev.Node == old.Node || ev.Session != old.Session || ev.Position == 0 {
			t.Errorf("back as %s, %d ahead, session %x", ev.Node, ev.Position, ev.Session)
		}
		if n := all[1].events.count(election.EventElected); n != 0 || !second.Valid() {
			t.Errorf("it leads on a znode that is gone; events:\n%v", all[1].events)
		}
	})
}

func TestAnHeirThatIsNotToldFindsOutByItself(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		all, first := lineUp(t, path, open(t, e, session.Config{}), open(t, w, session.Config{}))
		lost := w.on(faultproxy.HoldReply, is(faultproxy.OpEvent)) // until the test ends
		first.Resign()
		lost.wait()
		all[1].term()
		if !strings.Contains(lost.frame.Path, first.Node()[len(path):]) { // the notice, or the deletion
			t.Errorf("the event held back is about %q", lost.frame.Path)
		}
		lost.release()
	})
}
