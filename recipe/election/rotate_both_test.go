package election_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Credentials are replaced in the order of steps that operations.md gives: first all candidates
// have both, then the ACLs of what stays name both, then the old ones go. Each change of leader is
// announced, and nobody lacks a permission.
func TestCredentialsAreRotatedStepByStep(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		base := pathFor(t)
		path, beats := base+"/e", base+"/beats"
		older, newer := session.Digest("svc", "old"), session.Digest("svc", "new")
		var line []*candidate
		enter := func(id string, auth ...session.Auth) {
			client := open(t, e, session.Config{Timeout: 10 * time.Second, Auth: auth, Beats: beats})
			c := run(t, client, path, id, election.Config{})
			c.events.wait(election.EventJoined, 1)
			line = append(line, c)
		}
		// change lets the first in line leave and one enter, as a rolling restart does.
		change := func(id string, auth ...session.Auth) {
			enter(id, auth...)
			line[0].stop()
			line = line[1:]
			line[0].term()
		}
		enter("old-1", older)
		line[0].term()
		admin := shared.RawConn(t, e)
		for _, secret := range []string{"svc:old", "svc:new"} {
			if err := admin.AddAuth("digest", []byte(secret)); err != nil {
				t.Fatal(err)
			}
		}
		allow := func(acl ...zk.ACL) {
			for _, p := range []string{base, path, beats} {
				shared.SetACL(t, e, p, acl, older, newer)
			}
		}
		old, new := zk.DigestACL(zk.PermAll, "svc", "old"), zk.DigestACL(zk.PermAll, "svc", "new")

		enter("old-2", older)
		line[1].events.wait(election.EventHeir, 1)
		begun := line[:2:2]

		change("both-1", older, newer)
		change("both-2", older, newer)
		allow(old[0], new[0])
		change("new-1", newer)
		change("new-2", newer)
		allow(new...)
		change("new-3", newer)

		for _, c := range append(begun, line...) {
			for _, kind := range []election.EventKind{election.EventImpaired, election.EventWithheld, election.EventTookOver, election.EventFailed} {
				if n := c.events.count(kind); n != 0 {
					t.Errorf("%v %d times; events:\n%v", kind, n, c.events)
				}
			}
		}
		acl, _, err := admin.GetACL(line[0].Status().Node)
		if err != nil || len(acl) != 1 || acl[0] != new[0] {
			t.Errorf("the leader's znode has %v, %v", acl, err)
		}
	})
}
