package election_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// Tests of what the lease takes from real servers: the order of writes, the version of a set, what
// a multi tells about a refusal.

// shortLease is a lease that has nothing to do with the session timeout beside it.
var shortLease = session.Config{Timeout: steady, Lease: 4 * time.Second}

// vanish lets nothing pass any more, in either direction, and nobody sees a connection end.
func (w *wire) vanish() {
	w.Each(func(p *faultproxy.Proxy) {
		p.Hold(faultproxy.ToServer)
		p.Hold(faultproxy.ToClient)
	})
}

func (w *wire) reappear() {
	w.Each(func(p *faultproxy.Proxy) {
		p.Release(faultproxy.ToServer)
		p.Release(faultproxy.ToClient)
	})
}

func TestAVanishedLeaderIsReplacedLongBeforeItsSessionExpires(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	all, first := lineUp(t, path,
		open(t, w, shortLease), open(t, e, shortLease), open(t, e, shortLease))
	w.vanish()
	defer w.reappear()
	all[1].term() // the checker compares it with the first
	// There would have been nothing to take over if the session had expired first.
	if ev := all[1].events.wait(election.EventTookOver, 1); ev.Node != first.Node() {
		t.Errorf("it took over from %s", ev.Node)
	}
	// The one that comes back is behind the others, in a session that can lead.
	w.reappear()
	await.Until(t, "return to the line", func() bool {
		st := all[0].Status()
		return st.Position == 2 && st.Session != all[0].events.wait(election.EventJoined, 1).Session
	})
	all[1].stop()
	all[2].term()
	all[2].stop()
	all[0].term()
}

func TestADeletedLeaderThatHearsNothingIsWaitedFor(t *testing.T) {
	e, path := three(t), pathFor(t)
	w := wireTo(t, e)
	all, first := lineUp(t, path, open(t, w, shortLease), open(t, e, shortLease))
	admin := mustSession(t, admins(t, e))
	w.Each(func(p *faultproxy.Proxy) { p.Hold(faultproxy.ToClient) })
	defer w.reappear()
	if err := admin.Delete(within(t), first.Node(), -1); err != nil {
		t.Fatal(err)
	}
	all[1].term() // the checker compares it with the first
	all[1].events.wait(election.EventWithheld, 1)
}

// The answer to a whole multi tells what an heir is not permitted to do.
func TestRefusalsOfATakeoverAreReported(t *testing.T) {
	for name, perms := range map[string]int32{"no READ": 0, "no WRITE": zk.PermRead} {
		t.Run(name, func(t *testing.T) {
			e, path := three(t), pathFor(t)
			as := func(who string) session.Config {
				acl := zk.DigestACL(zk.PermAll, who, "secret")
				if perms != 0 {
					acl = append(acl, zk.WorldACL(perms)...)
				}
				// The session has to expire, but not before a busy heir has heard for a lease that
				// it is silent.
				return session.Config{Timeout: steady, Lease: short / 2, Auth: []session.Auth{session.Digest(who, "secret")}, ACL: acl}
			}
			admin := mustSession(t, admins(t, e))
			for _, p := range []string{strings.TrimSuffix(beats, "/"), path} {
				if err := admin.EnsurePath(within(t), p, nil); err != nil {
					t.Fatal(err)
				}
			}
			w := wireTo(t, e)
			a := run(t, open(t, w, as("a")), path, "a", election.Config{ACL: zk.WorldACL(zk.PermAll)})
			a.term()
			b := run(t, open(t, e, as("b")), path, "b", election.Config{ACL: zk.WorldACL(zk.PermAll)})
			b.events.wait(election.EventHeir, 1)
			w.vanish()
			defer w.reappear()
			if err := b.events.wait(election.EventImpaired, 1).Err; err == nil {
				t.Error("impaired for no reason")
			}
			b.term()
			if n := b.events.count(election.EventTookOver); n != 0 {
				t.Errorf("it took over without a permission")
			}
		})
	}
}

func TestAllElectionsOfAVanishedSessionAreLedAgain(t *testing.T) {
	e, path := three(t), pathFor(t)
	const elections = 20
	w := wireTo(t, e)
	one, other := open(t, w, shortLease), open(t, e, shortLease)
	var before, after []*candidate
	for i := range elections {
		before = append(before, run(t, one, fmt.Sprint(path, i), fmt.Sprint("a", i), election.Config{}))
	}
	for _, c := range before {
		c.term()
	}
	for i := range elections {
		after = append(after, run(t, other, fmt.Sprint(path, i), fmt.Sprint("b", i), election.Config{}))
	}
	for _, c := range after {
		c.events.wait(election.EventHeir, 1)
	}
	w.vanish()
	defer w.reappear()
	took := 0
	for _, c := range after {
		c.term()
		c.events.wait(election.EventElected, 1)
		took += c.events.count(election.EventTookOver) // not each: the answer to a takeover may be lost
	}
	if took == 0 {
		t.Error("nothing was taken over: the session had expired")
	}
}
