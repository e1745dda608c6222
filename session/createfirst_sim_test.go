package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// heartbeatCreates returns how often the session's heartbeat was created, and how many multis the
// session has sent.
func (b *bubble) heartbeatCreates() (created, multis int) {
	for _, c := range b.Commits.All() {
		if c.Session == b.s.ID() && c.Op == zktest.OpMulti {
			multis++
		}
		for _, ch := range c.Changes {
			if ch.Op == zktest.OpCreate && ch.Path == b.s.HeartbeatPath(b.s.ID()) {
				created++
			}
		}
	}
	return created, multis
}

// join creates a place in each of n directories, all at once.
func join(b *bubble, n int) (paths []string, errs []error) {
	paths, errs = make([]string, n), make([]error, n)
	var joining sync.WaitGroup
	for i := range n {
		joining.Go(func() {
			paths[i], errs[i] = b.s.CreatePlace(b.T.Context(), fmt.Sprintf("/e/%d", i), "n-", nil, nil)
		})
	}
	joining.Wait()
	return paths, errs
}

func (b *bubble) lines(n int) {
	for i := range n {
		must(b.T, b.s.EnsurePath(b.T.Context(), fmt.Sprintf("/e/%d", i), nil))
	}
}

func TestManyPlacesAtOnceHaveOneHeartbeat(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		const n = 300
		b.lines(n)
		b.Commits.Reset()
		paths, errs := join(b, n)
		must(t, errors.Join(errs...))
		// Its version tells others that it is a place.
		for _, path := range paths {
			if guid := path[strings.Index(path, "_c_")+3:]; guid[14] != '8' {
				t.Errorf("%s: a UUID of version %c", path, guid[14])
			}
		}
		created, multis := b.heartbeatCreates()
		if created != 1 {
			t.Errorf("the heartbeat was created %d times", created)
		}
		// The first creates the missing directory of the heartbeats, too. The others are created
		// together.
		if multis > 4 {
			t.Errorf("%d multis for %d places", multis, n)
		}
		beat, ok := b.node(b.s.HeartbeatPath(b.s.ID()))
		if !ok || beat.Stat.EphemeralOwner != b.s.ID() || string(beat.Data) != b.s.LeaseTime().String() {
			t.Errorf("the heartbeat: %+v", beat)
		}
		if dir, _ := b.node("/zkrecipe/beats"); dir.Stat.EphemeralOwner != 0 {
			t.Errorf("the directory of heartbeats: %+v", dir)
		}
	})
}

// What happens to a session when its first create is disturbed.
func TestTroubleWithTheFirstCreate(t *testing.T) {
	const saslRequired = -124
	first := zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}
	for name, c := range map[string]struct {
		do    func(b *bubble)
		joins bool  // all of them, in this session
		ended error // of the session
	}{
		"nothing":                 {func(*bubble) {}, true, nil},
		"its answer is lost":      {func(b *bubble) { b.On(first, zktest.LoseReply) }, true, nil},
		"it never arrives":        {func(b *bubble) { b.On(first, zktest.LoseRequest) }, false, session.ErrNoHeartbeat},
		"the server is throttled": {func(b *bubble) { b.On(first, zktest.Fail(-127)) }, true, nil},
		"nobody knows whether it was made": {func(b *bubble) {
			b.On(first, zktest.LoseRequest)
			b.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.Fail(saslRequired))
		}, false, session.ErrNoHeartbeat},
		"and the server does not tell": {func(b *bubble) {
			b.On(first, zktest.LoseReply)
			b.On(zktest.Match{Op: zktest.OpExists, Host: "a"}, zktest.Fail(zktest.CodeNoAuth))
		}, false, session.ErrNoHeartbeat},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				b.lines(10)
				must(t, b.s.EnsurePath(t.Context(), "/zkrecipe/beats", nil))
				b.Commits.Reset()
				c.do(b)
				paths, errs := join(b, 10)
				if err := errors.Join(errs...); (err == nil) != c.joins {
					t.Errorf("joined %v: %v", paths, err)
				}
				if created, _ := b.heartbeatCreates(); created > 1 {
					t.Errorf("the heartbeat was created %d times", created)
				}
				if !errors.Is(b.s.Err(), c.ended) || (c.ended == nil) != (b.s.Err() == nil) {
					t.Fatalf("the session: %v, want %v", b.s.Err(), c.ended)
				}
				if c.ended != nil {
					return
				}
				p := keep(t, b.s, paths[3])
				p.lease(t)
				await.Sleep(simT)
				p.lease(t)
			})
		})
	}
}

// A heartbeat that another client has created is not the session's.
func TestAHeartbeatThatIsThereAlreadyEndsTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.lines(1)
		beat := b.s.HeartbeatPath(b.s.ID())
		admin := b.Admin()
		must(t, admin.EnsurePath(t.Context(), beat, nil))
		_, err := b.s.CreatePlace(t.Context(), "/e/0", "n-", nil, nil)
		if err == nil || !errors.Is(b.ended(), session.ErrNoHeartbeat) || !strings.Contains(b.s.Err().Error(), beat) {
			t.Errorf("%v; the session: %v", err, b.s.Err())
		}
	})
}

// A missing line is not created: the caller creates it, because it has data of its own.
func TestAPlaceInALineThatIsMissingIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		for range 2 { // before there is a heartbeat, and afterwards
			_, err := b.s.CreatePlace(t.Context(), "/missing", "n-", nil, nil)
			if !errors.Is(err, zk.ErrNoNode) || session.OutcomeOf(err) != session.OutcomeNotDone || b.s.Err() != nil {
				t.Errorf("%v; the session: %v", err, b.s.Err())
			}
			held(t, b.s)
		}
		if created, _ := b.heartbeatCreates(); created != 1 {
			t.Errorf("the heartbeat was created %d times", created)
		}
	})
}

func TestAWaitForTheHeartbeatOfAnotherCreateCanBeCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.lines(2)
		b.host.Hold()
		go b.s.CreatePlace(t.Context(), "/e/0", "n-", nil, nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := b.s.CreatePlace(ctx, "/e/1", "n-", nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		b.host.Heal()
		await.Sleep(simT / 8)
		if n := len(b.Nodes()); n != 7 { // /e, two lines, one place; the heartbeat and its two parents
			t.Errorf("%d znodes", n)
		}
	})
}

// The clients of an election need READ, WRITE and CREATE on the heartbeats.
func TestAMissingPermissionForHeartbeatsIsNamed(t *testing.T) {
	const dir = "/zkrecipe/beats"
	without := func(perms ...int32) []zk.ACL {
		all := int32(zk.PermAll)
		for _, p := range perms {
			all &^= p
		}
		return zk.WorldACL(all)
	}
	for name, c := range map[string]struct {
		beats, own []zk.ACL // of the directory, and what the session gives its znodes
		want       []string
	}{
		"no CREATE on the directory": {without(zk.PermCreate), nil, []string{"create (CREATE)", dir}},
		"no READ on the own":         {without(), without(zk.PermRead), []string{"read (READ)", dir}},
		"no WRITE on the own":        {without(), without(zk.PermWrite), []string{"set (WRITE)", dir}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, session.Config{Timeout: simT, ACL: c.own}, func(t *testing.T, b *bubble) {
				admin := b.Admin()
				must(t, admin.EnsurePath(t.Context(), "/e", nil))
				must(t, admin.EnsurePath(t.Context(), "/zkrecipe", nil))
				_, err := admin.Create(t.Context(), dir, nil, 0, c.beats)
				must(t, err)
				path, err := b.s.CreatePlace(t.Context(), "/e", "n-", nil, without())
				if err == nil {
					p := keep(t, b.s, path)
					// Its version is read after a lost answer.
					b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply)
					err = p.failed(t)
				}
				if !errors.Is(err, zk.ErrNoAuth) || session.OutcomeOf(err) != session.OutcomeNotDone {
					t.Errorf("err = %v", err)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in %v", want, err)
					}
				}
				if b.s.Err() != nil {
					t.Errorf("the session: %v", b.s.Err())
				}
			})
		})
	}
}

// If a client has no permission to create the directory, its error names the directory, and says
// that another can be configured.
func TestADirectoryForHeartbeatsThatCannotBeCreatedIsNamed(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: simT, Beats: "/closed/beats"}, func(t *testing.T, b *bubble) {
		admin := b.Admin()
		must(t, admin.EnsurePath(t.Context(), "/e", nil))
		_, err := admin.Create(t.Context(), "/closed", nil, 0, zk.WorldACL(zk.PermRead))
		must(t, err)
		_, err = b.s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
		if !errors.Is(err, zk.ErrNoAuth) || !strings.Contains(err.Error(), "/closed/beats") || !strings.Contains(err.Error(), "Config.Beats") {
			t.Errorf("err = %v", err)
		}
	})
}
