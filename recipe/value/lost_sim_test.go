package value_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// losses are the ways in which a request or its answer gets lost.
var losses = map[string]zktest.Effect{
	"request": zktest.LoseRequest, "reply": zktest.LoseReply,
}

// Each request of a life is lost in turn, in each way, until a life passes without a loss.
func sweep(t *testing.T, life func(t *testing.T, s *stage)) {
	for how, effect := range losses {
		t.Run(how, func(t *testing.T) {
			for n := 1; ; n++ {
				hit := false
				onStage(t, int64(n), func(t *testing.T, s *stage) {
					s.put("5")
					rule := s.On(zktest.Match{Host: "a", Nth: n}, effect)
					life(t, s)
					hit = rule.Hits() > 0
				})
				if !hit {
					if n < 5 {
						t.Errorf("only %d requests were lost", n-1)
					}
					return
				}
			}
		})
	}
}

func TestAnAdditionCountsOnceWhicheverRequestIsLost(t *testing.T) {
	sweep(t, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		for want := int64(6); want <= 8; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
		}
		if got, err := n.Get(within(t)); got != 8 || err != nil {
			t.Errorf("Get = %d, %v; want 8", got, err)
		}
		if s.data() != "8" {
			t.Errorf("the znode holds %s", s.data())
		}
	})
}

func TestACompareAndSetThatWasDoneIsNotCalledAConflict(t *testing.T) {
	sweep(t, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		now, err := v.Get(within(t))
		must(s.T, err)
		for i := range 3 {
			now, err = v.CompareAndSet(within(t), now, fmt.Append(nil, "x", i))
			must(s.T, err)
		}
		if got, err := v.Get(within(t)); got.Zxid != now.Zxid || string(got.Data) != "x2" || err != nil {
			t.Errorf("Get = %v, %v; want %v", got, err, now)
		}
	})
}

func TestADurableAdditionCountsOnceWhicheverRequestIsLost(t *testing.T) {
	sweep(t, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{Config: value.Config{Durable: "host-a"}})
		for want := int64(6); want <= 8; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
		}
	})
}

// The answer is lost, and the session with it.
func losesSession(t *testing.T, effect zktest.Effect, cfg value.Config, meanwhile func(s *stage), after func(t *testing.T, s *stage, n *value.Counter, got int64, err error)) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		n, err := value.NewCounter(s.Client("a"), path, value.CounterConfig{Config: cfg})
		must(t, err)
		if _, err := n.Add(within(t), 1); err != nil {
			t.Fatal(err)
		}
		id := s.owner("a")
		s.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: 1}, effect)
		rule := s.On(zktest.Match{Op: zktest.OpConnect, Host: "a"}, zktest.LoseRequest)
		done := make(chan struct{})
		var got int64
		go func() {
			defer close(done)
			got, err = n.Add(within(t), 1)
		}()
		<-rule.Fired()
		s.ExpireSession(id)
		meanwhile(s)
		rule.Remove()
		<-done
		after(t, s, n, got, err)
		if _, err := n.Add(within(t), 1); err != nil {
			t.Errorf("the counter is of no use any more: %v", err)
		}
	})
}

// owner returns the session of a host's newest connection.
func (s *stage) owner(host string) (id int64) {
	for _, c := range s.Conns() {
		if c.Host() == host {
			id = c.Session()
		}
	}
	return id
}

func TestAnAdditionThatNeverArrivedIsDoneInTheNextSession(t *testing.T) {
	losesSession(t, zktest.LoseRequest, value.Config{}, func(*stage) {}, func(t *testing.T, s *stage, _ *value.Counter, got int64, err error) {
		if got != 7 || err != nil || s.data() != "7" {
			t.Errorf("Add = %d, %v; the znode holds %s; want 7", got, err, s.data())
		}
	})
}

func TestAnAdditionThatSomebodyElseHasForestalledIsDoneInTheNextSession(t *testing.T) {
	losesSession(t, zktest.LoseRequest, value.Config{}, func(s *stage) { s.put("100") }, func(t *testing.T, s *stage, _ *value.Counter, got int64, err error) {
		if got != 101 || err != nil || s.data() != "101" {
			t.Errorf("Add = %d, %v; the znode holds %s; want 101", got, err, s.data())
		}
	})
}

func TestAnAdditionWhoseSessionIsLostWithTheAnswerIsUnknown(t *testing.T) {
	losesSession(t, zktest.LoseReply, value.Config{}, func(*stage) {}, func(t *testing.T, s *stage, n *value.Counter, _ int64, err error) {
		var u *value.UnknownError
		if !errors.As(err, &u) || u.From != 6 || u.To != 7 || s.data() != "7" {
			t.Errorf("Add: %v; the znode holds %s; want an unknown 6 to 7", err, s.data())
		}
		if c := n.Counts(); c.Unknown != 1 || c.Lost == 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// A write of somebody else may look like ours: then nobody can tell.
func TestAnAdditionIsUnknownWhereAnotherHasWrittenTheSame(t *testing.T) {
	losesSession(t, zktest.LoseRequest, value.Config{}, func(s *stage) { s.put("7") }, func(t *testing.T, s *stage, _ *value.Counter, _ int64, err error) {
		if !isUnknown(err) || s.data() != "7" {
			t.Errorf("Add: %v; the znode holds %s", err, s.data())
		}
	})
}

func TestWithADurableJournalTheNextSessionKnows(t *testing.T) {
	for effect, want := range map[zktest.Effect]string{zktest.LoseReply: "7", zktest.LoseRequest: "101"} {
		losesSession(t, effect, value.Config{Durable: "host-a"}, func(s *stage) {
			if effect == zktest.LoseReply {
				s.put("50") // it does not hide what was done
			} else {
				s.put("100")
			}
		}, func(t *testing.T, s *stage, _ *value.Counter, got int64, err error) {
			if fmt.Sprint(got) != want || err != nil {
				t.Errorf("Add = %d, %v; want %s", got, err, want)
			}
		})
	}
}

func TestTheClientIsClosedWhileTheOutcomeIsOpen(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		client := s.Client("a")
		n, err := value.NewCounter(client, path, value.CounterConfig{})
		must(t, err)
		rule := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.DropReply)
		done := make(chan error, 1)
		go func() { _, err := n.Add(within(t), 1); done <- err }()
		<-rule.Fired()
		client.Close()
		if err := <-done; !isUnknown(err) || !errors.Is(err, session.ErrClosed) {
			t.Errorf("Add: %v; want an UnknownError for ErrClosed", err)
		}
		if _, err := n.Add(within(t), 1); isUnknown(err) || !errors.Is(err, session.ErrClosed) {
			t.Errorf("Add on a closed client: %v; want ErrClosed", err)
		}
	})
}

func TestACallerThatDoesNotWait(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		n := s.counter("a", value.CounterConfig{})
		_, err := n.Add(within(t), 1)
		must(t, err)
		for name, c := range map[string]struct {
			effect  zktest.Effect
			unknown bool
		}{"sent": {zktest.DropReply, true}, "not sent": {zktest.Effect{}, false}} {
			ctx, cancel := cancelled(t)
			if c.unknown {
				rule := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, c.effect)
				go func() { <-rule.Fired(); cancel() }()
			} else {
				s.Host("a").Hold() // first: otherwise the client may connect again before it
				s.Host("a").Cut()
				await.Sleep(stageT / 8) // the client notices
				go func() { time.Sleep(stageT / 8); cancel() }()
			}
			_, err := n.Add(ctx, 1)
			s.Host("a").Cut()
			if isUnknown(err) != c.unknown || err == nil {
				t.Errorf("%s: Add: %v", name, err)
			}
			s.Host("a").Heal()
			if _, err := n.Get(within(t)); err != nil {
				t.Error(err)
			}
		}
		if s.data() != "7" {
			t.Errorf("the znode holds %s; want 7: one addition was left after it was sent", s.data())
		}
	})
}
