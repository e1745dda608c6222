package session_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestASessionRefusesMoreEphemeralsThanServersReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		client, err := session.Open(e.ConnectString()+"/app", session.Config{Dial: e.Host("a").Dial, EphemeralBytes: 2000})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s, err := client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		must(t, s.EnsurePath(ctx, "/"+strings.Repeat("x", 100), nil))
		dir := "/" + strings.Repeat("x", 100)
		var places []string
		for {
			path, err := s.CreatePlace(ctx, dir, "lock-", nil, nil)
			if errors.Is(err, session.ErrTooManyEphemerals) {
				if session.Permanent(err) || session.OutcomeOf(err) != session.OutcomeNotDone || !strings.Contains(err.Error(), "2000") {
					t.Errorf("%v: permanent %v, outcome %v", err, session.Permanent(err), session.OutcomeOf(err))
				}
				break
			}
			must(t, err)
			places = append(places, path)
		}
		used := client.Status().EphemeralBytes
		if len(places) < 5 || used > 2000 || used < 1700 {
			t.Fatalf("%d places take %d bytes", len(places), used)
		}
		// Persistent znodes do not count. It does not matter how they are created.
		_, err = s.Create(ctx, dir+"/plain", nil, 0, nil)
		must(t, err)
		_, err = s.Multi(ctx, &zk.CreateRequest{Path: dir + "/other"})
		must(t, err)
		// Every kind of deletion frees room, and every kind of create uses room.
		must(t, s.Delete(ctx, places[0], -1))
		must(t, s.EnsureDeleted(ctx, places[1]))
		_, err = s.Multi(ctx, &zk.DeleteRequest{Path: places[2], Version: -1})
		must(t, err)
		for i := range 3 {
			name := fmt.Sprintf("%s/%s-%d", dir, strings.Repeat("y", 50), i)
			if i < 2 {
				_, err = s.Create(ctx, name, nil, zk.FlagEphemeral, nil)
			} else {
				_, err = s.Multi(ctx, &zk.CreateRequest{Path: name, Flags: zk.FlagEphemeral})
			}
			must(t, err)
		}
		if got := client.Status().EphemeralBytes; got > used || got < used-100 {
			t.Errorf("%d bytes after as many deletions as creates, %d before", got, used)
		}
	})
}

// Before a create is refused there is a warning. It is logged once, when more than three quarters
// are used.
func TestThreeQuartersOfTheEphemeralBytesAreLogged(t *testing.T) {
	const most = 2000
	log := newLogbook(t)
	inBubbleWith(t, session.Config{Timeout: simT, EphemeralBytes: most, Logger: slog.New(log)}, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/dir", nil))
		for {
			_, err := b.s.CreatePlace(t.Context(), "/dir", "lock-", nil, nil)
			if errors.Is(err, session.ErrTooManyEphemerals) {
				break
			}
			must(t, err)
			synctest.Wait() // the log is written in the background
			used := b.client.Status().EphemeralBytes
			said, want := log.Count(func(l line) bool {
				return l.level == slog.LevelWarn && strings.HasPrefix(l.text, "this session has many ephemeral znodes") &&
					strings.HasSuffix(l.text, " most=2000")
			}), 0
			if used > most*3/4 {
				want = 1
			}
			if said != want {
				t.Fatalf("logged %d times at %d bytes of %d; want %d\n%s", said, used, most, want, log)
			}
		}
		if used := b.client.Status().EphemeralBytes; used <= most*3/4 {
			t.Errorf("refused at %d bytes of %d", used, most)
		}
	})
}

// A deletion whose answer is lost is made again, and then the znode is not there. However often
// that happens, the znode uses no room any more.
func TestADeletionWhoseAnswerIsLostMakesRoom(t *testing.T) {
	for name, op := range map[string]zktest.Op{"delete": zktest.OpDelete, "multi": zktest.OpMulti} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, session.Config{Timeout: simT, EphemeralBytes: 500}, func(t *testing.T, b *bubble) {
				s := b.s
				must(t, s.EnsurePath(t.Context(), "/dir", nil))
				for range 10 {
					path, err := s.CreatePlace(t.Context(), "/dir", "lock-", nil, nil)
					must(t, err)
					var with []any
					if op == zktest.OpMulti {
						with = s.Notice(path)
					}
					lost := b.On(zktest.Match{Op: op, Session: s.ID(), Nth: 1}, zktest.LoseReply)
					must(t, s.EnsureDeleted(t.Context(), path, with...))
					lost.Remove()
				}
				if got := b.client.Status().EphemeralBytes; got > 100 {
					t.Errorf("%d bytes with nothing but a heartbeat", got)
				}
			})
		})
	}
}

// A znode that is found after a lost answer counts as well: here the session's first place, and its
// heartbeat.
func TestWhatIsFoundAfterALostAnswerUsesRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/zkrecipe/beats", nil))
		must(t, b.s.EnsurePath(t.Context(), "/dir", nil))
		lost := b.On(zktest.Match{Op: zktest.OpMulti, Session: b.s.ID(), Nth: 1}, zktest.LoseReply)
		_, err := b.s.CreatePlace(t.Context(), "/dir", "lock-", nil, nil)
		must(t, err)
		lost.Remove()
		there, n := 0, 0
		for _, node := range b.Nodes() {
			if node.Stat.EphemeralOwner == b.s.ID() {
				there, n = there+4+len(node.Path), n+1
			}
		}
		if got := b.client.Status().EphemeralBytes; n != 2 || got != there {
			t.Errorf("%d bytes counted, %d there in %d znodes", got, there, n)
		}
	})
}

// Creates that are under way count: there may be a thousand, and all may be carried out.
func TestCreatesUnderWayUseRoom(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: simT, EphemeralBytes: 5000}, func(t *testing.T, b *bubble) {
		names := func(n int) (paths []string) {
			for i := range n {
				paths = append(paths, fmt.Sprintf("/%0100d", i))
			}
			return paths
		}
		must(t, b.s.EnsurePath(t.Context(), "/dir", nil))
		must(t, b.s.EnsurePath(t.Context(), "/zkrecipe/beats", nil))
		for _, create := range map[string]func(path string) error{
			"one": func(path string) error {
				_, err := b.s.Create(t.Context(), path, nil, zk.FlagEphemeral, nil)
				return err
			},
			"multi": func(path string) error {
				_, err := b.s.Multi(t.Context(), &zk.CreateRequest{Path: path, Flags: zk.FlagEphemeral})
				return err
			},
			"place": func(path string) error {
				_, err := b.s.CreatePlaces(t.Context(), session.Place{Dir: "/dir", Name: path[1:]})
				return err
			},
		} {
			var creating sync.WaitGroup
			for _, path := range names(200) {
				creating.Go(func() {
					if err := create(path); err != nil && !errors.Is(err, session.ErrTooManyEphemerals) {
						t.Error(err)
					}
				})
			}
			creating.Wait()
			there := 0
			var own []string
			for _, node := range b.Nodes() {
				if node.Stat.EphemeralOwner == b.s.ID() {
					there += 4 + len(node.Path)
					own = append(own, node.Path)
				}
			}
			if counted := b.client.Status().EphemeralBytes; there != counted || there > 5000 || there < 4000 {
				t.Errorf("%d bytes in %d znodes, %d counted", there, len(own), counted)
			}
			// The creates that were refused use no room.
			for _, path := range own {
				if !strings.HasPrefix(path, "/zkrecipe/") {
					must(t, b.s.Delete(t.Context(), path, -1))
				}
			}
		}
	})
}

// A create whose answer is lost may have happened. It uses room until that is known.
func TestACreateWhoseAnswerIsLostUsesRoom(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: simT, EphemeralBytes: 1000}, func(t *testing.T, b *bubble) {
		path := "/" + strings.Repeat("x", 500)
		lost := b.On(zktest.Match{Op: zktest.OpCreate, Session: b.s.ID(), Nth: 1}, zktest.LoseReply)
		_, err := b.s.Create(t.Context(), path, nil, zk.FlagEphemeral, nil)
		lost.Remove()
		if session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Fatal(err)
		}
		if _, err := b.s.Create(t.Context(), "/"+strings.Repeat("y", 500), nil, zk.FlagEphemeral, nil); !errors.Is(err, session.ErrTooManyEphemerals) {
			t.Errorf("with a lost answer: %v", err)
		}
		must(t, b.s.EnsureDeleted(t.Context(), path))
		// The session looks for a protected znode. If it is not there, it uses no room.
		must(t, b.s.EnsurePath(t.Context(), "/dir", nil))
		must(t, b.s.EnsureHeartbeat(t.Context()))
		before := b.client.Status().EphemeralBytes
		for range 20 {
			lost := b.On(zktest.Match{Op: zktest.OpMulti, Session: b.s.ID(), Nth: 1}, zktest.LoseRequest)
			path, err := b.s.CreateProtected(t.Context(), "/dir", strings.Repeat("z", 100), nil, nil)
			must(t, err)
			lost.Remove()
			must(t, b.s.Delete(t.Context(), path, -1))
		}
		if got := b.client.Status().EphemeralBytes; got != before {
			t.Errorf("%d bytes; want %d, as before", got, before)
		}
	})
}

// The number of a sequential znode is not known after a lost answer. Each of them counts. An answer
// that leaves open what has happened counts as a lost one.
func TestSequentialCreatesWithoutAnAnswerUseRoomEach(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"lost": zktest.LoseReply, "unknown": zktest.Fail(-4)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				for range 3 {
					rule := b.On(zktest.Match{Op: zktest.OpCreate, Session: b.s.ID(), Nth: 1}, effect)
					_, err := b.s.Create(t.Context(), "/x-", nil, zk.FlagEphemeralSequential, nil)
					rule.Remove()
					if session.OutcomeOf(err) != session.OutcomeUnknown {
						t.Fatal(err)
					}
					_, _, err = b.s.Exists(t.Context(), "/") // it is connected again
					must(t, err)
				}
				if got, want := b.client.Status().EphemeralBytes, 3*(4+len("/x-0000000000")); got != want {
					t.Errorf("%d bytes; want %d", got, want)
				}
			})
		})
	}
}
