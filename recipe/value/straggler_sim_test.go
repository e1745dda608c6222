package value_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A straggler is a value whose first transaction has reached a follower, which does not pass it on.
// The session has moved to the ZooKeeper leader, where the transaction is sent again.
type straggler struct {
	*stage
	*value.Value
	result   chan error
	follower *zktest.Server
	session  *session.Session
	barred   []*zktest.Rule // servers that the client cannot reach
}

// straggles makes a change of a value. When the first transaction is on its way, it calls hinder,
// which may keep the next one from being carried out. Then the session moves to the leader. f lets
// the first transaction arrive when the change has been answered.
func straggles(t *testing.T, prepare func(s *stage), change func(ctx context.Context, v *value.Value) error,
	hinder func(s *stage, admin *session.Session), f func(t *testing.T, g *straggler, admin *session.Session)) {
	t.Helper()
	onStage(t, 1, func(t *testing.T, s *stage) {
		prepare(s)
		admin := s.Admin()
		g := &straggler{stage: s, result: make(chan error, 1), follower: s.Followers()[0]}
		g.only(g.follower)
		client := s.Open("a", session.Config{Timeout: 2 * stageT})
		g.session = s.Session(client)
		var err error
		g.Value, err = value.New(client, path, value.Config{})
		must(t, err)
		must(t, second(g.Get(within(t))))
		sent := s.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: 1}, zktest.LoseTouch)
		s.Leader().StopPings() // until then the follower keeps it
		go func() { g.result <- change(within(t), g.Value) }()
		select {
		case <-sent.Fired():
		case err := <-g.result:
			t.Fatalf("the change has sent nothing: %v", err)
		}
		hinder(s, admin)
		g.move(s.Leader())
		f(t, g, admin)
	})
}

// only lets the client reach only that server.
func (g *straggler) only(server *zktest.Server) {
	for _, rule := range g.barred {
		rule.Remove()
	}
	g.barred = nil
	for _, s := range g.Servers() {
		if s.ID() != server.ID() {
			g.barred = append(g.barred, g.On(zktest.Match{Op: zktest.OpConnect, Host: "a", Server: s.ID()}, zktest.LoseRequest))
		}
	}
}

// move moves the session to that server.
func (g *straggler) move(server *zktest.Server) {
	g.T.Helper()
	g.only(server)
	g.Host("a").Cut()
	g.Eventually("a move", func() bool {
		conn := g.ConnOf(g.session.ID())
		return conn != nil && conn.Server() == server.ID() && g.session.State() == session.StateConnected
	})
}

// arrives moves the session back to the follower, which passes the first transaction on.
func (g *straggler) arrives() {
	g.T.Helper()
	g.move(g.follower)
	g.Leader().ResumePings()
	await.Sleep(stageT)
}

// isNotDone lets the first transaction arrive. It demands that the znode does not change, and that
// changes go on.
func (g *straggler) isNotDone() {
	g.T.Helper()
	was := g.data()
	g.arrives()
	if got := g.data(); got != was {
		g.T.Errorf("the change was reported as not done, and was done later: the znode holds %d bytes, %.10q; before %.10q", len(got), got, was)
	}
	g.goesOn()
}

// goesOn demands that a change is done.
func (g *straggler) goesOn() {
	g.T.Helper()
	got, err := g.Update(within(g.T), func([]byte) ([]byte, error) { return []byte("next"), nil })
	if err != nil || string(got.Data) != "next" || g.data() != "next" {
		g.T.Errorf("the next change: %q, %v; the znode holds %.10q", got.Data, err, g.data())
	}
}

// notDone demands that the change has failed, and was not done.
func (g *straggler) notDone() error {
	g.T.Helper()
	err := <-g.result
	if err == nil || isUnknown(err) {
		g.T.Errorf("the change: %v; want an error that says that nothing was done", err)
	}
	return err
}

// parent creates the parent of the path.
func (s *stage) parent() {
	s.T.Helper()
	must(s.T, s.Admin().EnsurePath(within(s.T), "/app", nil))
}

// create creates the path, so that its version is 0.
func (s *stage) create(data string) {
	s.T.Helper()
	s.parent()
	must(s.T, second(s.Admin().Create(within(s.T), path, []byte(data), 0, nil)))
}

// sets is a change that overwrites whatever there is with "late".
func sets(ctx context.Context, v *value.Value) error {
	return second(v.Update(ctx, func([]byte) ([]byte, error) { return []byte("late"), nil }))
}

// overwrites is a change that declines if there is nothing.
func overwrites(ctx context.Context, v *value.Value) error {
	return second(v.Update(ctx, func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, errors.New("there is nothing")
		}
		return []byte("late"), nil
	}))
}

// creates is a change that declines if there is something.
func creates(ctx context.Context, v *value.Value) error {
	return second(v.CompareAndSet(ctx, value.Versioned{}, []byte("late")))
}

func TestALargeWriteThatWasGivenUpIsNotDoneLater(t *testing.T) {
	var more *zktest.Rule
	straggles(t, func(s *stage) { s.put("small") }, func(ctx context.Context, v *value.Value) error {
		return second(v.Update(ctx, func([]byte) ([]byte, error) { return make([]byte, 9000), nil }))
	}, func(s *stage, _ *session.Session) {
		more = s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Server: s.Leader().ID()}, zktest.LoseRequest)
	}, func(t *testing.T, g *straggler, _ *session.Session) {
		g.Eventually("losses", func() bool { return more.Hits() >= 3 })
		more.Remove() // what follows is small
		g.notDone()
		g.isNotDone()
	})
}

func TestAChangeThatWasNotPermittedIsNotDoneLater(t *testing.T) {
	straggles(t, func(s *stage) { s.put("5") }, sets, func(s *stage, _ *session.Session) {
		s.permit(path, zk.PermAll&^zk.PermWrite)
	}, func(t *testing.T, g *straggler, _ *session.Session) {
		if err := g.notDone(); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%v; want ErrNoAuth", err)
		}
		g.permit(path, zk.PermAll)
		g.isNotDone()
	})
}

// The znode's version is so large that it is deleted and created again, which a child forbids. To
// set it is not permitted.
func TestAChangeThatAChildHasRefusedIsNotDoneLater(t *testing.T) {
	straggles(t, func(s *stage) {
		s.put("5")
		s.setVersion(path, 1<<30+5)
	}, sets, func(s *stage, admin *session.Session) {
		must(s.T, second(admin.Create(within(s.T), path+"/child", nil, 0, nil)))
		s.permit(path, zk.PermAll&^zk.PermWrite)
	}, func(t *testing.T, g *straggler, admin *session.Session) {
		if err := g.notDone(); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%v; want ErrNoAuth", err)
		}
		must(t, admin.Delete(within(t), path+"/child", -1))
		g.permit(path, zk.PermAll)
		g.isNotDone()
	})
}

func TestAZnodeWhoseParentWasRefusedIsNotCreatedLater(t *testing.T) {
	straggles(t, (*stage).parent, sets, func(s *stage, admin *session.Session) {
		must(s.T, admin.Delete(within(s.T), "/app", -1))
		s.permit("/", zk.PermAll&^zk.PermCreate)
	}, func(t *testing.T, g *straggler, admin *session.Session) {
		if err := g.notDone(); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%v; want ErrNoAuth", err)
		}
		g.permit("/", zk.PermAll)
		must(t, admin.EnsurePath(within(t), "/app", nil))
		g.isNotDone()
	})
}

func TestAZnodeThatSomebodyElseHasCreatedIsNotCreatedLater(t *testing.T) {
	straggles(t, (*stage).parent, creates, func(s *stage, admin *session.Session) {
		must(s.T, second(admin.Create(within(s.T), path, []byte("other"), 0, nil)))
	}, func(t *testing.T, g *straggler, admin *session.Session) {
		if err := g.notDone(); conflict(err) == nil {
			t.Errorf("%v; want a ConflictError", err)
		}
		must(t, admin.Delete(within(t), path, -1))
		g.isNotDone()
	})
}

func TestAZnodeThatSomebodyElseHasDeletedIsNotOverwrittenLater(t *testing.T) {
	straggles(t, func(s *stage) { s.create("5") }, overwrites, func(s *stage, admin *session.Session) {
		must(s.T, admin.Delete(within(s.T), path, -1))
	}, func(t *testing.T, g *straggler, admin *session.Session) {
		g.notDone()
		must(t, second(admin.Create(within(t), path, []byte("other"), 0, nil)))
		g.isNotDone()
	})
}

// The version comes back, too.
func TestAZnodeThatSomebodyElseHasSetIsNotOverwrittenLater(t *testing.T) {
	straggles(t, func(s *stage) { s.create("5") }, func(ctx context.Context, v *value.Value) error {
		now, err := v.Get(ctx)
		if err != nil {
			return err
		}
		return second(v.CompareAndSet(ctx, now, []byte("late")))
	}, func(s *stage, admin *session.Session) {
		must(s.T, second(admin.Set(within(s.T), path, []byte("other"), 0)))
	}, func(t *testing.T, g *straggler, admin *session.Session) {
		if err := g.notDone(); conflict(err) == nil {
			t.Errorf("%v; want a ConflictError", err)
		}
		must(t, admin.Delete(within(t), path, -1))
		must(t, second(admin.Create(within(t), path, []byte("new"), 0, nil)))
		g.isNotDone()
	})
}

// The change was refused, and is done before the journal is written alone.
func TestAChangeThatIsDoneAfterARefusalIsReportedAsDone(t *testing.T) {
	var void *zktest.Rule
	straggles(t, func(s *stage) { s.put("5") }, sets, func(s *stage, _ *session.Session) {
		s.permit(path, zk.PermAll&^zk.PermWrite)
		void = s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Server: s.Leader().ID(), Nth: 2}, zktest.DropRequest)
	}, func(t *testing.T, g *straggler, _ *session.Session) {
		<-void.Fired()
		g.permit(path, zk.PermAll)
		g.arrives()
		if err := <-g.result; err != nil || g.data() != "late" {
			t.Errorf("the change: %v; the znode holds %q; want it to be done", err, g.data())
		}
		g.goesOn()
	})
}

// The journal is written alone, and the answer to that is lost.
func TestAChangeIsNotDoneWhereTheJournalWasWrittenAlone(t *testing.T) {
	var void *zktest.Rule
	straggles(t, func(s *stage) { s.put("5") }, sets, func(s *stage, _ *session.Session) {
		s.permit(path, zk.PermAll&^zk.PermWrite)
		void = s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Server: s.Leader().ID(), Nth: 2}, zktest.LoseReply)
	}, func(t *testing.T, g *straggler, _ *session.Session) {
		<-void.Fired()
		if err := g.notDone(); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%v; want ErrNoAuth", err)
		}
		g.permit(path, zk.PermAll)
		g.isNotDone()
	})
}

// A change whose outcome is unknown is done late. That says nothing about the next one.
func TestTheChangeAfterAnUnknownOneIsDone(t *testing.T) {
	straggles(t, func(s *stage) { s.put("5") }, sets, func(s *stage, _ *session.Session) {
		s.permit(s.journals()[0], zk.PermAll&^zk.PermWrite)
	}, func(t *testing.T, g *straggler, _ *session.Session) {
		if err := <-g.result; !isUnknown(err) {
			t.Errorf("the change: %v; want an UnknownError", err)
		}
		g.permit(g.journals()[0], zk.PermAll)
		g.arrives()
		if g.data() != "late" {
			t.Errorf("the znode holds %q; want the late change", g.data())
		}
		g.goesOn()
	})
}

// If the answer to its create is lost, a journal may be created late, when it was given back. Then
// copies of the first transactions would fit it.
func TestAJournalWhoseCreateWasNotAnsweredIsNotUsed(t *testing.T) {
	for how, effect := range losses {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.put("5")
			must(t, s.Admin().EnsurePath(within(t), strings.TrimSuffix(journals, "/*"), nil))
			var created, written []string
			s.Trap.Set(func(r zktest.Request) bool {
				switch {
				case !strings.HasPrefix(r.Path, strings.TrimSuffix(journals, "*")):
				case r.Op == zktest.OpMulti:
					written = append(written, r.Path)
				case r.Op != zktest.OpDelete:
					created = append(created, r.Path)
				}
				return false
			})
			s.On(zktest.Match{Path: journals, Host: "a", Nth: 1}, effect)
			v := s.value("a", value.Config{})
			must(t, sets(within(t), v))
			if len(created) != 2 || len(written) != 1 || created[0] == written[0] || created[1] != written[0] {
				t.Errorf("%s: created %q, written %q; want the second to be written", how, created, written)
			}
			if left := s.journals(); len(left) != 1 {
				t.Errorf("%s: journals: %q", how, left)
			}
		})
	}
}
