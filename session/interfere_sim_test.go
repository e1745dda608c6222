package session_test

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// What happens to the session and its places when somebody changes its heartbeat or disturbs a
// beat.
func TestInterferenceWithTheHeartbeat(t *testing.T) {
	revoke := func(t *testing.T, b *bubble, admin *session.Session, with ...any) {
		l := admin.Listen(b.s.ID(), make(chan struct{}, 1))
		defer l.Stop()
		for {
			await.Sleep(simT / 64)
			h := l.Heartbeat()
			if _, err := admin.Multi(t.Context(), append(with, h.Revoke())...); err == nil {
				return
			} else if !errors.Is(err, zk.ErrBadVersion) && !errors.Is(err, zk.ErrNoNode) {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, b *bubble, admin *session.Session)
		want error // of the session
	}{
		"deleted": {func(t *testing.T, b *bubble, admin *session.Session) {
			must(t, admin.Delete(t.Context(), b.s.HeartbeatPath(b.s.ID()), -1))
		}, session.ErrNoHeartbeat},
		"deleted and created by another": {func(t *testing.T, b *bubble, admin *session.Session) {
			beat := b.s.HeartbeatPath(b.s.ID())
			n, _ := b.node(beat)
			_, err := admin.Multi(t.Context(), &zk.DeleteRequest{Path: beat, Version: -1}, &zk.CreateRequest{Path: beat})
			must(t, err)
			for range n.Stat.Version {
				admin.Set(t.Context(), beat, n.Data, -1) // to the very version that is known
			}
		}, session.ErrNoHeartbeat},
		"revoked": {func(t *testing.T, b *bubble, admin *session.Session) { revoke(t, b, admin) }, session.ErrRevoked},
		"set by hand": {func(t *testing.T, b *bubble, admin *session.Session) {
			_, err := admin.Set(t.Context(), b.s.HeartbeatPath(b.s.ID()), []byte("hello"), -1)
			must(t, err)
		}, nil},
		"set by hand to a lease": {func(t *testing.T, b *bubble, admin *session.Session) {
			_, err := admin.Set(t.Context(), b.s.HeartbeatPath(b.s.ID()), []byte("1h"), -1)
			must(t, err)
		}, nil},
		"a beat's answer is lost": {func(t *testing.T, b *bubble, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply).Fired()
		}, nil},
		"a beat is lost": {func(t *testing.T, b *bubble, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseRequest).Fired()
		}, nil},
		"a beat is refused for no reason": {func(t *testing.T, b *bubble, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.Fail(zktest.CodeBadVersion)).Fired()
		}, nil},
		"the reading afterwards is lost, too": {func(t *testing.T, b *bubble, admin *session.Session) {
			read := b.On(zktest.Match{Op: zktest.OpGetData, Path: "/zkrecipe/*", Host: "a", Nth: 1}, zktest.LoseReply)
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply).Fired()
			<-read.Fired()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				admin := b.Admin()
				p, l := held(t, b.s)
				await.Sleep(simT)
				c.do(t, b, admin)
				await.Sleep(simT)
				if c.want != nil {
					if err := b.ended(); !errors.Is(err, c.want) {
						t.Errorf("the session ended with %v", err)
					}
					if l.Valid() {
						t.Error("the lease outlives its session")
					}
					if next := established(t, b.client); next.ID() == b.s.ID() {
						t.Error("the session is still there")
					}
					return
				}
				if b.s.Err() != nil || !l.Valid() || p.hold.Lease() != l {
					t.Errorf("the session: %v, the lease: %v, the hold: %v", b.s.Err(), l.Valid(), p.hold.Err())
				}
				if n, _ := b.node(b.s.HeartbeatPath(b.s.ID())); string(n.Data) != b.s.LeaseTime().String() {
					t.Errorf("the heartbeat says %q", n.Data)
				}
			})
		})
	}
}

// A beat may be delayed for long, and be committed when its session has another connection. It is
// still the session's own.
func TestALateBeatOfOnesOwnEndsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p, _ := held(t, b.s)
		late := func() bool {
			return b.Commits.Count(func(c zktest.Commit) bool { return c.Err == zktest.CodeBadVersion }) > 0
		}
		for i := 0; i < 10 || i < 200 && !late(); i++ { // whether one comes late in a round is chance
			at := b.Server(b.ConnOf(b.s.ID()).Server())
			at.Slow(simT / 4)
			await.Sleep(simT / 2)
			at.Slow(0)
			await.Sleep(simT / 4)
		}
		p.lease(t)
		if b.s.Err() != nil {
			t.Error(b.s.Err())
		}
		if !late() {
			t.Error("no beat had the wrong version")
		}
	})
}

// A process that was stopped for longer than its lease may create a place in another line before it
// beats again. A session that has taken over from it meanwhile would take over that place, too.
func TestASessionWhoseLeaseHasLapsedFindsOutThatItIsRevokedBeforeItTakesAPlace(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		admin := b.Admin()
		own, h, _ := byHand(t, b, "/f")
		arm(t, own)
		await.Sleep(simT / 64)
		if h.Lease() == nil {
			t.Fatal("no lease")
		}
		h.Release() // no beat from here on
		await.Sleep(simT)
		l := admin.Listen(b.s.ID(), make(chan struct{}, 1))
		defer l.Stop()
		await.Sleep(simT / 64)
		_, err := admin.Multi(t.Context(), l.Heartbeat().Revoke())
		must(t, err)
		path, err := b.s.CreatePlace(t.Context(), "/f", "n-", nil, nil)
		if !errors.Is(err, session.ErrRevoked) || !errors.Is(b.s.Err(), session.ErrRevoked) {
			t.Errorf("place %q, %v; the session %v; want it revoked", path, err, b.s.Err())
		}
	})
}
