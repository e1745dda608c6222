package election_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// manyLed are elections in which the client a leads and the client b is the heir.
type manyLed struct {
	*stage
	a, b  *session.Client
	mu    sync.Mutex
	terms map[string]*election.Term // of a, by path
	led   await.List[election.Event]
}

// leadMany makes them. work is what a does in its terms. If b is told of a term, it checks that a
// has finished.
func leadMany(s *stage, n int, work func(ctx context.Context, term *election.Term) error) *manyLed {
	m := &manyLed{stage: s, a: s.Client("a"), b: s.Client("b"), terms: map[string]*election.Term{}}
	var heirs await.List[time.Time]
	for i := range n {
		path := fmt.Sprintf("%s/%d", stagePath, i)
		s.stand(m.a, path, election.Config{ID: "a", OnEvent: func(ev election.Event) {
			if ev.Kind == election.EventElected {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.terms[path] = ev.Term
			}
		}}, work)
		s.Eventually("leader", func() bool { return m.term(path) != nil })
		s.stand(m.b, path, election.Config{ID: "b", OnEvent: func(ev election.Event) {
			switch ev.Kind {
			case election.EventHeir:
				heirs.Add(ev.Time)
			case election.EventElected:
				m.led.Add(ev)
			}
		}}, func(ctx context.Context, term *election.Term) error {
			if before := m.term(path); before.Valid() || before.DrainContext().Err() == nil {
				s.T.Errorf("%s: b leads beside a", path)
			}
			return untilTheEnd(ctx, term)
		})
	}
	s.Eventually("heirs", func() bool { return len(heirs.All()) == n })
	await.Sleep(stageT)
	return m
}

func (m *manyLed) term(path string) *election.Term {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.terms[path]
}

// Many departures are announced by one write of the heartbeat. The heirs lead when they have read
// it.
func TestAClosedClientLeavesItsElectionsTogether(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const n = 50
		m := leadMany(s, n, untilTheEnd)
		before, begun := s.Counts().Requests, time.Now()
		shared.Must(t, m.a.Close())
		s.Eventually("leaders", func() bool { return len(m.led.All()) == n })
		for _, ev := range m.led.All() {
			if took := ev.Time.Sub(begun); took > 30*time.Millisecond {
				t.Errorf("led again after %v", took)
			}
		}
		await.Sleep(stageD)
		// The first departure, "left" with the second, the others, two announcements. Some beats.
		if writes := s.Counts().Requests[zktest.OpMulti] - before[zktest.OpMulti]; writes > 5+8 {
			t.Errorf("%d multis", writes)
		}
	})
}

// Nobody waits behind the closed client. Who comes later reads the records, and waits for no lease.
func TestWhoComesAfterManyElectionsWereLeftTogetherLeadsAtOnce(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const n = 20
		stand := func(client *session.Client) {
			var led await.List[time.Time]
			begun := time.Now()
			for i := range n {
				s.stand(client, fmt.Sprintf("%s/%d", stagePath, i), election.Config{OnEvent: func(ev election.Event) {
					if ev.Kind == election.EventElected {
						led.Add(ev.Time)
					}
				}})
			}
			s.Eventually("leaders", func() bool { return len(led.All()) == n })
			if took := time.Since(begun); took > stageD/4 {
				t.Errorf("it took %v", took)
			}
		}
		a := s.Client("a")
		stand(a)
		await.Sleep(stageT)
		a.Close()
		stand(s.Client("b"))
	})
}

// One of the elections is still at work when the others leave. Then the session has not left.
// Somebody deletes the znode of that one, and the leader does not hear of that. The heir waits for
// the lease.
func TestASessionThatIsStillAtWorkHasNotLeft(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const n = 8
		last := fmt.Sprintf("%s/%d", stagePath, n-1)
		finish := make(chan struct{})
		var m *manyLed
		m = leadMany(s, n, func(ctx context.Context, term *election.Term) error {
			<-ctx.Done()
			if term.Node()[:len(last)] == last {
				<-finish
			}
			return nil
		})
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			m.a.Close()
		}()
		s.Eventually("leaders of the others", func() bool { return len(m.led.All()) == n-1 })
		await.Sleep(100 * time.Millisecond)
		s.Host("a").Delay(10*stageT, zktest.ToClient)
		shared.Must(t, s.Admin().Delete(t.Context(), m.term(last).Node(), -1))
		s.Eventually("leader of the last", func() bool { return len(m.led.All()) == n })
		close(finish)
		s.Host("a").Heal()
		<-closed
	})
}

// A message of the departure is lost. All elections are led again after a lease at most, nobody
// leads too early, and nothing is left of the closed client.
func TestAMessageIsLostWhileElectionsAreLeftTogether(t *testing.T) {
	for name, effect := range map[string]zktest.Effect{"request": zktest.LoseRequest, "reply": zktest.LoseReply} {
		for nth := range 3 {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				const n = 10
				m := leadMany(s, n, untilTheEnd)
				id := session0(t, m.a).ID()
				s.On(zktest.Match{Op: zktest.OpMulti, Session: id, Nth: nth + 1}, effect)
				begun := time.Now()
				m.a.Close()
				s.Eventually("leaders", func() bool { return len(m.led.All()) == n })
				if took := time.Since(begun); took > 2*stageD {
					t.Errorf("%s %d: led again after %v", name, nth, took)
				}
				for i := range n {
					for _, node := range s.Below(fmt.Sprintf("%s/%d", stagePath, i)) {
						if node.Stat.EphemeralOwner == id {
							t.Errorf("%s %d: %s is left", name, nth, node.Path)
						}
					}
				}
			})
		}
	}
}

func session0(t *testing.T, c *session.Client) *session.Session {
	t.Helper()
	s, err := c.Session(t.Context())
	shared.Must(t, err)
	return s
}
