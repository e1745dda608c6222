package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// several returns places in directories of their own, and creates the directories.
func several(b *bubble, n int) (places []session.Place) {
	b.T.Helper()
	b.lines(n)
	for i := range n {
		places = append(places, session.Place{Dir: fmt.Sprintf("/e/%d", i), Name: "n-", Data: []byte("me")})
	}
	return places
}

// reserve returns the lease that a place has without a beat of its own.
func reserve(b *bubble, path string) *session.Lease {
	wake := make(chan struct{}, 1)
	return b.s.Reserve(b.s.Watch(path, wake), wake).Lease()
}

func TestPlacesThatABeatHasCreatedHaveALease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		_, first := held(t, b.s) // the heartbeat is there
		await.Sleep(simT / 20)   // and no beat under way
		places := several(b, 3)
		b.Commits.Reset()
		begun := time.Now()
		paths, err := b.s.CreatePlaces(t.Context(), places...)
		must(t, err)
		if beats, _ := b.beats(); beats != 1 || len(paths) != len(places) {
			t.Errorf("%d beats for %v", beats, paths)
		}
		czxid := int64(0)
		for i, path := range paths {
			n, ok := b.node(path)
			if !ok || string(n.Data) != "me" || czxid != 0 && n.Stat.Czxid != czxid || path[:4] != places[i].Dir {
				t.Errorf("%s: %+v", path, n)
			}
			czxid = n.Stat.Czxid
			wake := make(chan struct{}, 1)
			h := b.s.Reserve(b.s.Watch(path, wake), wake)
			l := h.Lease()
			if l == nil || h.Czxid() != czxid {
				t.Fatalf("%s has the lease %v, and was created at %d; want %d", path, l, h.Czxid(), czxid)
			}
			// The lease counts from before the create, as with every beat.
			if rest := l.Remaining(); rest > b.s.LeaseTime()-time.Since(begun) {
				t.Errorf("%s has %v left", path, rest)
			}
		}
		if !first.Valid() {
			t.Error("the place that was there has lost its lease")
		}
	})
}

// If it is not known that a beat created a place, the place has no lease before a beat has checked
// it.
func TestPlacesThatNoBeatHasCreatedHaveNoLease(t *testing.T) {
	for name, fault := range map[string]func(b *bubble){
		"the session's first": func(*bubble) {},
		"lost answer": func(b *bubble) {
			held(b.T, b.s)
			await.Sleep(simT / 20)
			b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/e/*", Nth: 1}, zktest.LoseReply)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				places := several(b, 3)
				fault(b)
				paths, err := b.s.CreatePlaces(t.Context(), places...)
				must(t, err)
				for _, path := range paths {
					if l := reserve(b, path); l != nil {
						t.Errorf("%s has a lease of %v", path, l.Remaining())
					}
				}
			})
		})
	}
}

// A read that is sent right after the creates is answered right after them.
func TestSentIsCalledWhenTheCreatesHaveBeenSent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		held(t, b.s)
		await.Sleep(simT / 20)
		type list struct {
			names []string
			err   error
		}
		places, listed := several(b, 2), make(chan list, 1)
		places[1].Sent = func() {
			b.s.AskChildren(places[1].Dir, func(names []string, _ zk.Stat, err error) { listed <- list{names, err} })
		}
		created := make(chan []string, 1)
		go func() {
			paths, err := b.s.CreatePlaces(t.Context(), places...)
			must(t, err)
			created <- paths
		}()
		begun := time.Now()
		paths := <-created
		answered := time.Since(begun)
		l := <-listed
		must(t, l.err)
		if len(l.names) != 1 || places[1].Dir+"/"+l.names[0] != paths[1] {
			t.Errorf("%v are there; created %v", l.names, paths)
		}
		if late := time.Since(begun) - answered; late > answered/2 {
			t.Errorf("the list came %v after the answer, which took %v", late, answered)
		}
	})
}

// Any message may be lost: all places are created once, or nothing is left.
func TestTroubleWithSeveralPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(b *bubble, places []session.Place)
		want error
	}{
		"the answer is lost": {func(b *bubble, _ []session.Place) {
			b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/e/*", Nth: 1}, zktest.LoseReply)
		}, nil},
		"the request is lost": {func(b *bubble, _ []session.Place) {
			b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: "/e/*", Nth: 1}, zktest.LoseRequest)
		}, nil},
		"a beat is on its way": {func(b *bubble, _ []session.Place) {
			b.host.Delay(10*time.Millisecond, zktest.ToClient)
			_, h, _ := byHand(b.T, b, "/other")
			h.Renew()
		}, nil},
		"a place is gone that the beat checks": {func(b *bubble, _ []session.Place) {
			admin := b.Admin()
			byHand(b.T, b, "/other") // unarmed: nothing tells of its end
			path := pathOf(b.T, b, "/other")
			must(b.T, admin.Delete(b.T.Context(), path, -1))
			await.Sleep(simT / 10)
		}, nil},
		"a directory is missing": {func(b *bubble, places []session.Place) { places[1].Dir = "/missing" }, zk.ErrNoNode},
		"a directory is twice":   {func(b *bubble, places []session.Place) { places[1].Dir = places[0].Dir }, zk.ErrInvalidPath},
		"a directory is closed": {func(b *bubble, places []session.Place) {
			places[1].Dir = "/closed"
			admin := b.Admin()
			_, err := admin.Create(b.T.Context(), "/closed", nil, 0, zk.WorldACL(zk.PermRead))
			must(b.T, err)
			must(b.T, b.s.Sync(b.T.Context(), "/closed"))
		}, zk.ErrNoAuth},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				_, lease := held(t, b.s)
				await.Sleep(simT / 20)
				places := several(b, 3)
				c.do(b, places)
				paths, err := b.s.CreatePlaces(t.Context(), places...)
				if !errors.Is(err, c.want) || c.want == nil && (err != nil || len(paths) != 3) {
					t.Errorf("%v, %v; want %v", paths, err, c.want)
				}
				b.host.Heal()
				await.Sleep(2 * simT)
				there := 0
				for _, n := range b.Nodes() {
					if n.Stat.EphemeralOwner == b.s.ID() && n.Path[:3] == "/e/" {
						there++
					}
				}
				if there != len(paths) {
					t.Errorf("%d are there, want %d", there, len(paths))
				}
				if !lease.Valid() || b.s.Err() != nil {
					t.Errorf("the other place: %v; the session: %v", lease.Valid(), b.s.Err())
				}
			})
		})
	}
}

// A session that was taken over creates no places.
func TestARevokedSessionCreatesNoPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p, _ := held(t, b.s)
		p.hold.Release()
		await.Sleep(simT)
		admin := b.Admin()
		l := admin.Listen(b.s.ID(), make(chan struct{}, 1))
		defer l.Stop()
		await.Sleep(3 * simT)
		_, err := admin.Multi(t.Context(), l.Heartbeat().Revoke())
		must(t, err)
		if _, err := b.s.CreatePlaces(t.Context(), several(b, 2)...); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("error %v", err)
		}
		if err := b.ended(); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("the session ended with %v", err)
		}
	})
}

// The answer to the beat that has created a place may end the session, because the heartbeat that
// the beat has set was made by somebody else. The end of the session ends all leases, even that of
// a place that is reserved a moment later.
func TestThereIsNoLeaseAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		admin := b.Admin()
		must(t, b.s.EnsurePath(t.Context(), "/l", nil))
		must(t, b.s.EnsureHeartbeat(t.Context()))
		beat := b.s.HeartbeatPath(b.s.ID())
		must(t, admin.Delete(t.Context(), beat, -1))
		_, err := admin.Create(t.Context(), beat, nil, zk.FlagPersistent, nil)
		must(t, err)
		_, _ = b.s.CreatePlaces(t.Context(), session.Place{Dir: "/l", Name: "lock-"})
		if err := b.ended(); !errors.Is(err, session.ErrNoHeartbeat) {
			t.Errorf("the session ended with %v", err)
		}
		path := "" // the znode goes with the session
		for _, c := range b.Commits.All() {
			for _, ch := range c.Changes {
				if strings.HasPrefix(ch.Path, "/l/") {
					path = ch.Path
				}
			}
		}
		wake := make(chan struct{}, 1)
		if h := b.s.Reserve(b.s.Watch(path, wake), wake); path == "" || h.Lease() != nil {
			t.Errorf("%q: a lease runs: %v", path, h.Lease())
		}
	})
}
