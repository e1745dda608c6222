package value_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A late is a counter that adds 1 to 5. When its session ends for the client, its request is still
// on its way from one server to another. The next session begins when heal is called.
type late struct {
	*stage
	*value.Counter
	result chan error
	link   *zktest.Link // on which the request is held
}

func onTheWay(t *testing.T, cfg value.Config, prepare func(s *stage), f func(t *testing.T, l *late)) {
	t.Helper()
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		prepare(s)
		client, err := session.Open(s.ConnectString(), session.Config{Timeout: 2 * stageT, Dial: s.Host("a").Dial})
		must(t, err)
		t.Cleanup(func() { client.Close() })
		n, err := value.NewCounter(client, path, value.CounterConfig{Config: cfg})
		must(t, err)
		sess := s.atFollower(client)
		l := &late{s, n, make(chan error, 1), s.Link(s.Followers()[0], s.Leader())}
		sent := s.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: 1}, zktest.Effect{})
		go func() { _, err := n.Add(within(t), 1); l.result <- err }()
		<-sent.Fired()
		l.link.Hold()
		s.Host("a").Hold() // while the session is closed
		sess.Close()
		f(t, l)
	})
}

// atFollower returns a session of a client that is connected to the first follower.
func (s *stage) atFollower(client *session.Client) *session.Session {
	s.T.Helper()
	for {
		sess, err := client.Session(within(s.T))
		must(s.T, err)
		if s.ConnOf(sess.ID()).Server() == s.Followers()[0].ID() {
			return sess
		}
		sess.Close()
		await.Sleep(stageT / 4)
	}
}

func (l *late) heal() { l.Host("a").Heal() }

// arrives lets the first request arrive.
func (l *late) arrives() {
	l.link.Heal()
	await.Sleep(stageT)
}

// isUnknown demands that the outcome of the addition is unknown. Then it calls then, and lets the
// first request arrive. If the addition is made anew, isUnknown first does the same, so that the
// addition counts twice.
func (l *late) isUnknown(then func()) {
	l.T.Helper()
	again := l.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: 2}, zktest.DropRequest)
	l.heal()
	select {
	case err := <-l.result:
		var u *value.UnknownError
		if !errors.As(err, &u) || u.From != 5 || u.To != 6 {
			l.T.Errorf("Add: %v; want an unknown 5 to 6", err)
		}
		then()
		l.arrives()
	case <-again.Fired():
		then()
		l.arrives()
		l.Host("a").Cut() // it is sent once more
		l.T.Errorf("Add was made anew, and has returned %v", <-l.result)
	}
	if l.data() != "6" {
		l.T.Errorf("the znode holds %s; want 6", l.data())
	}
}

// permit grants these permissions on a znode to everybody.
func (s *stage) permit(path string, perms int32) {
	s.T.Helper()
	dial := func(network, address string, _ time.Duration) (net.Conn, error) {
		return s.Host("permit").Dial(context.Background(), network, address)
	}
	conn, _, err := zk.Connect([]string{s.Leader().Addr()}, stageT, zk.WithLogInfo(false), zk.WithDialer(dial))
	must(s.T, err)
	defer conn.Close()
	_, err = conn.SetACL(path, zk.WorldACL(perms), -1)
	must(s.T, err)
}

// journals returns the paths of all of them.
func (s *stage) journals() (paths []string) {
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Path, strings.TrimSuffix(journals, "*")) {
			paths = append(paths, n.Path)
		}
	}
	return paths
}

// deleteJournals deletes all but these.
func (s *stage) deleteJournals(but ...string) {
	s.T.Helper()
	admin := s.Session(s.Client("admin"))
	for _, path := range s.journals() {
		if !slices.Contains(but, path) {
			must(s.T, admin.Delete(within(s.T), path, -1))
		}
	}
}

// The znode's version is so large that it is deleted and created again, which a child forbids.
func TestAnAdditionIsUnknownWhereTheNextSessionFindsAChild(t *testing.T) {
	onTheWay(t, value.Config{}, func(s *stage) {
		must(s.T, s.Session(s.Client("admin")).EnsurePath(within(s.T), path+"/child", nil))
		s.setVersion(path, 1<<30+5)
	}, func(t *testing.T, l *late) {
		l.isUnknown(func() { must(t, l.Session(l.Client("admin")).Delete(within(t), path+"/child", -1)) })
	})
}

func TestAnAdditionIsUnknownWhereTheNextSessionIsNotPermitted(t *testing.T) {
	onTheWay(t, value.Config{}, func(*stage) {}, func(t *testing.T, l *late) {
		l.permit(path, zk.PermAll&^zk.PermWrite)
		l.isUnknown(func() { l.permit(path, zk.PermAll) })
	})
}

func TestAnAdditionIsUnknownWhereTheNextSessionsJournalIsDeleted(t *testing.T) {
	onTheWay(t, value.Config{}, func(*stage) {}, func(t *testing.T, l *late) {
		first := l.journals()
		made := l.On(zktest.Match{Op: zktest.OpCreate, Path: journals, Host: "a", Nth: 1}, zktest.Effect{})
		go func() {
			<-made.Fired()
			l.Host("a").Hold(zktest.ToClient)
			time.Sleep(stageT / 16)
			l.deleteJournals(first...)
			l.heal()
		}()
		l.isUnknown(func() {})
	})
}

// With a durable journal the next session makes the first request impossible, and can then tell
// that nothing was done. The journal of the first request does not come back, even if it is
// deleted.
func TestADurableAdditionThatIsRefusedIsNotDoneLater(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		onTheWay(t, value.Config{Durable: "host-a"}, func(*stage) {}, func(t *testing.T, l *late) {
			l.permit(path, zk.PermAll&^zk.PermWrite)
			l.heal()
			if err := <-l.result; isUnknown(err) || !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("Add: %v; want ErrNoAuth", err)
			}
			if deleted {
				l.deleteJournals()
				must(t, l.Session(l.Client("admin")).Delete(within(t), strings.TrimSuffix(journals, "/*"), -1))
				if _, err := l.Add(within(t), 1); isUnknown(err) || !errors.Is(err, zk.ErrNoAuth) {
					t.Errorf("Add: %v; want ErrNoAuth", err)
				}
			}
			l.permit(path, zk.PermAll)
			l.arrives()
			if l.data() != "5" {
				t.Errorf("the znode holds %s; want 5", l.data())
			}
			if got, err := l.Add(within(t), 1); got != 6 || err != nil {
				t.Errorf("Add = %d, %v; want 6", got, err)
			}
		})
	}
}

// The next session finds out what became of the first request, whichever of its own is lost.
func TestADurableAdditionWhoseFirstRequestIsLateCountsOnce(t *testing.T) {
	for _, effect := range losses {
		for _, arrives := range []bool{false, true} {
			for nth := 1; nth <= 2; nth++ {
				onTheWay(t, value.Config{Durable: "host-a"}, func(*stage) {}, func(t *testing.T, l *late) {
					l.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: nth}, effect)
					if arrives {
						l.arrives()
					}
					l.heal()
					if err := <-l.result; err != nil || l.data() != "6" {
						t.Errorf("Add: %v; the znode holds %s; want 6", err, l.data())
					}
					l.arrives()
					if got, err := l.Get(within(t)); got != 6 || err != nil {
						t.Errorf("Get = %d, %v; want 6", got, err)
					}
				})
			}
		}
	}
}
