package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestWhatIsRefusedForGoodEndsRun(t *testing.T) {
	for name, c := range map[string]struct {
		flags int32
		acl   []zk.ACL // of the path
		mine  []zk.ACL // of the candidate's znode
		below string
		want  error
	}{
		"no CREATE on the path":     {acl: zk.WorldACL(zk.PermRead | zk.PermDelete), want: zk.ErrNoAuth},
		"no READ on the path":       {acl: zk.WorldACL(zk.PermCreate | zk.PermDelete), want: zk.ErrNoAuth},
		"no CREATE above the path":  {acl: zk.WorldACL(zk.PermRead), below: "/deep/er", want: zk.ErrNoAuth},
		"no READ on the own znode":  {mine: zk.WorldACL(zk.PermWrite), want: zk.ErrNoAuth},
		"ephemeral path":            {flags: zk.FlagEphemeral, want: zk.ErrNoChildrenForEphemerals},
		"path below an ephemeral":   {flags: zk.FlagEphemeral, below: "/x", want: zk.ErrNoChildrenForEphemerals},
		"an ACL that is none":       {mine: []zk.ACL{{Perms: zk.PermAll, Scheme: "nonsense", ID: "x"}}, want: zk.ErrInvalidACL},
		"an ACL for nobody, really": {mine: zk.AuthACL(zk.PermAll), want: zk.ErrInvalidACL},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				client := open(t, e, session.Config{})
				admin := mustSession(t, client)
				path := pathFor(t)
				if _, err := admin.Create(within(t), path, nil, c.flags, c.acl); err != nil {
					t.Fatal(err)
				}
				events := newEvents(t, "a")
				el, err := election.New(client, path+c.below, election.Config{ACL: c.mine, OnEvent: events.Add})
				if err != nil {
					t.Fatal(err)
				}
				err = el.Run(within(t), lead)
				var permanent *recipe.PermanentError
				if !errors.As(err, &permanent) || permanent.Path != path+c.below || !errors.Is(err, c.want) {
					t.Errorf("Run returned %v; want a PermanentError for %v", err, c.want)
				}
				if events.count(election.EventFailed) != 0 {
					t.Errorf("it was tried again; events:\n%v", events)
				}
				if st := el.Status(); st.Err == nil || st.State != election.StateIdle {
					t.Errorf("status %+v", st)
				}
				if _, err := el.Campaign(within(t)); !errors.Is(err, c.want) {
					t.Errorf("Campaign: %v", err)
				}
				if c.below == "" && c.acl == nil {
					// Deleted in the background when the own znode could not be read.
					await.Until(t, "empty path", func() bool { return len(children(t, client, path)) == 0 })
				}
				if id := client.Status().Session; id != admin.ID() {
					t.Error("the session was ended for it")
				}
			})
		})
	}
}

func TestAClientWithABadCredentialEndsRun(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		client := open(t, e, session.Config{Auth: []session.Auth{{Scheme: "nonsense", Credential: "x"}}})
		el, err := election.New(client, pathFor(t), election.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var permanent *recipe.PermanentError
		if err := el.Run(within(t), lead); !errors.As(err, &permanent) || !errors.Is(err, session.ErrAuthFailed) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAnHeirWhoseZnodeBecomesUnreadableLeavesNoOrphan(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		leader := run(t, client, path, "leader", election.Config{})
		leader.term()
		heir := run(t, client, path, "heir", election.Config{}) // the same session: beats go on without it
		heir.events.wait(election.EventHeir, 1)
		shared.SetACL(t, e, heir.Status().Node, zk.WorldACL(zk.PermWrite))
		select {
		case <-heir.done:
		case <-within(t).Done():
			t.Fatal("Run goes on with a znode that cannot be checked")
		}
		var permanent *recipe.PermanentError
		if !errors.As(heir.err, &permanent) || !errors.Is(heir.err, zk.ErrNoAuth) {
			t.Errorf("Run returned %v", heir.err)
		}
		await.Until(t, "line of one", func() bool { return len(children(t, client, path)) == 1 })
	})
}

func TestALeaderWhoseZnodeBecomesUnreadableIsNotToldItWasDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{Timeout: short})
		a := run(t, client, path, "a", election.Config{})
		term := a.term()
		shared.SetACL(t, e, term.Node(), zk.WorldACL(zk.PermWrite))
		<-term.Context().Done()
		if ev := a.events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonLeaseExpired {
			t.Errorf("deposed: %v, %v", ev.Reason, ev.Err)
		}
		a.term() // with a znode that can be read
		if all := children(t, client, path); len(all) != 1 {
			t.Errorf("in line: %v", all)
		}
	})
}

func TestAnUnhealthyCandidateStaysOut(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		// What it wraps must not be taken for the ensemble's own refusal.
		sick := errors.New("sick: " + zk.ErrNoAuth.Error())
		var verdict healthVerdict
		verdict.set(errors.Join(sick, zk.ErrNoAuth))
		a := run(t, client, path, "a", election.Config{Healthy: verdict.ask, HealthEvery: 20 * time.Millisecond})
		await.Until(t, "staying out", func() bool {
			st := a.Status()
			return st.State == election.StateUnhealthy && errors.Is(st.Err, sick)
		})
		if n := a.events.count(election.EventJoined); n != 0 {
			t.Error("joined although unhealthy")
		}
		verdict.set(nil)
		first := a.term()
		b := run(t, client, path, "b", election.Config{Healthy: verdict.ask, HealthEvery: 20 * time.Millisecond})
		b.events.wait(election.EventHeir, 1)
		verdict.set(errors.Join(sick, zk.ErrNoAuth))
		ev := a.events.wait(election.EventDeposed, 1)
		if ev.Reason != recipe.ReasonUnhealthy || !errors.Is(ev.Err, sick) || first.Valid() {
			t.Errorf("deposed: %v, %v; valid: %v", ev.Reason, ev.Err, first.Valid())
		}
		b.events.wait(election.EventLeft, 1)
		a.events.wait(election.EventLeft, 1)
		verdict.set(nil)
		await.Until(t, "leader", func() bool {
			return a.Status().State == election.StateLeading || b.Status().State == election.StateLeading
		})
		a.stop()
		b.stop()
		if !errors.Is(a.err, context.Canceled) || !errors.Is(b.err, context.Canceled) {
			t.Errorf("Run returned %v and %v", a.err, b.err)
		}
	})
}
