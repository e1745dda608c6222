package recipeprom_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// stuck is a log handler that never returns before stop is closed.
type stuck struct {
	slog.Handler
	stop chan struct{}
}

func (h stuck) Handle(context.Context, slog.Record) error    { <-h.stop; return nil }
func (h stuck) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (h stuck) WithAttrs([]slog.Attr) slog.Handler           { return h }

func TestWhatSubscribersAndLoggersDoNotTakeIsCounted(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		never := make(chan struct{})
		defer close(never)
		p := &process{t, "a", must(session.Open(e.ConnectString(), session.Config{
			Timeout: T, Lease: D, Dial: e.Host("a").Dial, Logger: slog.New(stuck{slog.DiscardHandler, never}),
		})), recipeprom.New(), prometheus.NewPedanticRegistry()}
		defer p.client.Close()
		p.registry.MustRegister(recipeprom.ForClient(p.client), p.metrics)
		ctx := t.Context()

		l := must(lock.New(p.client, "/l", lock.Config{OnEvent: func(lock.Event) { <-never }}))
		sem := must(semaphore.New(p.client, "/s", 1, semaphore.Config{OnEvent: func(semaphore.Event) { <-never }}))
		el := must(election.New(p.client, "/e", election.Config{OnEvent: func(election.Event) { <-never }}))
		m := must(must(group.New(p.client, "/g", group.Config{OnEvent: func(group.Event) { <-never }})).Join(ctx))
		p.metrics.Add("x", l, sem, el, m)
		s := must(p.client.Session(ctx))
		defer s.Subscribe(func(session.State) { <-never })()
		counters := []string{"lock_events_dropped_total", "semaphore_events_dropped_total", "election_events_dropped_total",
			"group_events_dropped_total", "session_states_dropped_total", "session_log_lines_dropped_total"}
		for _, name := range counters {
			p.want(0, name)
		}

		fail := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 600 {
			fail(must(l.Acquire(ctx)).Release(ctx))
			fail(must(sem.Acquire(ctx)).Release(ctx))
			fail(must(el.Campaign(ctx)).Release(ctx))
			listed := m.Status().Listings
			fail(s.Delete(ctx, m.Node(), -1))
			await.Until(t, "another listing", func() bool { return m.Status().Listings > listed })
			e.Host("a").Cut()
			await.Sleep(time.Second)
		}
		dropped := []uint64{l.Status().EventsDropped, sem.Status().EventsDropped, el.Status().EventsDropped, m.Status().EventsDropped,
			p.client.Status().StatesDropped, p.client.Status().LinesDropped}
		p.metrics.Remove(l, sem, el, m) // what was counted stays
		for i, name := range counters {
			if dropped[i] == 0 {
				t.Errorf("%s: nothing was dropped", name)
			}
			p.want(float64(dropped[i]), name)
		}
	})
}
