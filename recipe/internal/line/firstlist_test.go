package line

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// busy is how a contender of a lock stands in /e.
var busy = Config{Dir: "/e", Style: Lock, Clock: clock.System, Busy: true}

// inBusyLine gives f a session that has its heartbeat, and /e, where nobody stands.
func inBusyLine(t *testing.T, f func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64)) {
	inSession(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		p, err := Join(t.Context(), s, busy)
		stage.Must(t, err)
		stage.Must(t, p.Leave(t.Context()))
		lists.Store(0)
		f(t, e, s, lists)
	})
}

// checkAhead demands that the place knows all who stand before it.
func checkAhead(t *testing.T, e *zktest.Ensemble, p *Place) {
	t.Helper()
	var children []string
	for _, n := range e.Nodes() {
		if name, ok := strings.CutPrefix(n.Path, "/e/"); ok {
			children = append(children, name)
		}
	}
	want, ok := Ahead(p.Name(), Sort(children))
	if !ok || !slices.Equal(p.ahead, want) {
		t.Errorf("%s has %v ahead; want %v of %v", p.Name(), p.ahead, want, children)
	}
}

func TestAListComesRightBehindTheCreate(t *testing.T) {
	inBusyLine(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		first, err := Join(t.Context(), open(t, e, "b"), busy)
		stage.Must(t, err)
		lists.Store(0)
		begun := time.Now()
		l := newFirstList(s, busy)
		path, err := create(t.Context(), t.Context(), s, busy, l)
		stage.Must(t, err)
		l.listed <- <-l.listed // nothing has asked for it since
		p, err := stand(t.Context(), s, busy, path, l)
		stage.Must(t, err)
		checkAhead(t, e, p)
		if n := lists.Load(); n != 1 || len(p.ahead) != 1 || p.ahead[0].Full != first.Name() {
			t.Errorf("%d lists, %v ahead", n, p.ahead)
		}
		t.Logf("it took %v", time.Since(begun))
	})
}

// A list that was answered before the own znode was created does not tell of places that came in
// between.
func TestAListWithoutTheOwnZnodeIsNotBelieved(t *testing.T) {
	inBusyLine(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, lists *atomic.Int64) {
		l := newFirstList(s, busy)
		l.ask()
		l.listed <- <-l.listed
		_, err := Join(t.Context(), open(t, e, "b"), busy)
		stage.Must(t, err)
		lists.Store(0)
		path, err := create(t.Context(), t.Context(), s, busy, l)
		stage.Must(t, err)
		p, err := stand(t.Context(), s, busy, path, l)
		stage.Must(t, err)
		checkAhead(t, e, p)
		if n := lists.Load(); n != 1 {
			t.Errorf("%d more lists", n)
		}
	})
}

// The create that was sent before the list is refused, or lost, and another comes before it is
// tried again. Or it is carried out, and only the answers are lost.
func TestAListBehindACreateThatIsNotAnswered(t *testing.T) {
	type fault func(t *testing.T, e *zktest.Ensemble, s *session.Session)
	lose := func(what zktest.Effect) fault {
		return func(_ *testing.T, e *zktest.Ensemble, _ *session.Session) {
			e.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, what)
		}
	}
	for name, c := range map[string]struct {
		fault fault
		ahead int
	}{
		"the request is lost":  {lose(zktest.LoseRequest), 1},
		"the answers are lost": {lose(zktest.LoseReply), 0},
		"the beat that carries it fails": {func(t *testing.T, e *zktest.Ensemble, s *session.Session) {
			_, err := open(t, e, "admin").Set(t.Context(), s.HeartbeatPath(s.ID()), []byte("4s"), -1)
			stage.Must(t, err)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBusyLine(t, func(t *testing.T, e *zktest.Ensemble, s *session.Session, _ *atomic.Int64) {
				other := open(t, e, "b")
				c.fault(t, e, s)
				came := make(chan error, 1)
				time.AfterFunc(1500*time.Microsecond, func() { // the requests have arrived, the answers have not
					e.Host("a").Hold()
					_, err := Join(t.Context(), other, busy)
					e.Host("a").Heal()
					came <- err
				})
				p, err := Join(t.Context(), s, busy)
				stage.Must(t, err)
				stage.Must(t, <-came)
				checkAhead(t, e, p)
				if len(p.ahead) != c.ahead {
					t.Errorf("%v ahead", p.ahead)
				}
			})
		})
	}
}
