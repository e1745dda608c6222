package recipeprom_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// must returns what a constructor has made.
func must[T any](made T, err error) T {
	if err != nil {
		panic(err)
	}
	return made
}

func TestTheFiguresOfTheOtherRecipes(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		sem := must(semaphore.New(p.client, "/s", 3, semaphore.Config{}))
		g := must(group.New(p.client, "/g", group.Config{ID: "a"}))
		list, files := g.Watch(), must(cache.New(p.client, "/c", cache.Config{}))
		defer list.Close()
		defer files.Close()
		counter := must(value.NewCounter(p.client, "/c/n", value.CounterConfig{}))
		plain := must(value.New(p.client, "/c/v", value.Config{}))
		member := must(g.Join(t.Context()))
		rw := must(lock.NewRW(p.client, "/rw", lock.Config{}))
		p.metrics.Add("work", sem, list, files, counter, plain, member, rw)

		two := must(sem.AcquireN(t.Context(), 2))
		p.want(2, "semaphore_held")
		p.want(3, "semaphore_size")
		p.want(1, "semaphore_acquire_seconds")

		reads := []*lock.Held{must(rw.Read().Acquire(t.Context())), must(rw.Read().Acquire(t.Context()))}
		p.want(2, "lock_held")
		for _, h := range reads {
			h.Release(t.Context())
		}
		must(rw.Write().Acquire(t.Context()))
		p.want(3, "lock_acquire_seconds")

		must(counter.Add(t.Context(), 7))
		if err := counter.CompareAndSet(t.Context(), 1, 2); err == nil {
			t.Error("it was 7")
		}
		must(plain.CompareAndSet(t.Context(), value.Versioned{}, []byte("v")))
		p.want(2, "value_changes_total")
		p.want(2, "value_writes_total")
		p.want(0, "value_unknown_total")

		if err := files.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.want(1, "cache_caches")
		p.want(1, "cache_following")
		p.want(3, "cache_znodes")
		p.want(0, "cache_unread")
		p.between(0, .1, "cache_age_seconds")
		p.between(6, 100, "cache_bytes")
		p.between(3, 20, "cache_reads_total")

		p.want(1, "group_listed")
		p.want(0, "group_unlisted")
		p.want(0, "group_rejoins_total")
		must(list.Fresh(t.Context()))
		p.want(1, "group_members")
		p.want(1, "group_lists_known")
		s := must(p.client.Session(t.Context()))
		if err := s.Delete(t.Context(), member.Node(), -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(T)
		p.want(1, "group_rejoins_total")
		p.want(2, "group_listings_total")
		p.want(1, "group_unlistings_total", "node deleted")
		p.between(0, 2*D.Seconds(), "group_age_seconds")

		e.Host("a").Hold()
		await.Sleep(T)
		p.want(0, "group_listed")
		p.want(1, "group_unlisted")
		p.want(0, "cache_following")
		p.want(0, "semaphore_held")
		p.want(2-1, "semaphore_ended_total", "lease expired")
		p.between(T.Seconds(), 2*T.Seconds(), "group_age_seconds")
		e.Host("a").Heal()
		two.Release(t.Context())
	})
}

// One path for each object: the series do not become more, and what has been counted stays when the
// lock is not used any more.
func TestALockForEachObjectMakesNoMoreSeriesThanOne(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		series := 0
		for i := range 500 {
			l := must(lock.New(p.client, fmt.Sprintf("/objects/%d", i), lock.Config{Cleanup: true}))
			p.metrics.Add("objects", l)
			if err := l.Do(t.Context(), func(context.Context, *lock.Held) error { return nil }); err != nil {
				t.Fatal(err)
			}
			p.metrics.Remove(l)
			if i == 0 {
				series = p.series()
			}
		}
		p.want(500, "lock_acquire_seconds")
		p.want(500, "lock_ended_total", "released")
		p.want(0, "lock_held")
		if n := p.series(); n != series || n > 60 {
			t.Errorf("%d metrics for 500 locks, %d for one", n, series)
		}
	})
}

// A program that takes paths for names is bounded, too.
func TestNamesBeyondTheHundredthCountTogether(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		for i := range 300 {
			l := must(lock.New(p.client, fmt.Sprintf("/objects/%d", i), lock.Config{}))
			p.metrics.Add(l.Path(), l)
			must(l.Acquire(t.Context()))
		}
		n, err := testutil.GatherAndCount(p.registry, "zkrecipe_lock_held")
		if err != nil || n != 101 {
			t.Errorf("%d series, %v; want 100, and one for the rest", n, err)
		}
		sum := 0.0
		for _, f := range must(p.registry.Gather()) {
			if f.GetName() == "zkrecipe_lock_held" {
				for _, m := range f.GetMetric() {
					sum += m.Gauge.GetValue()
				}
			}
		}
		if sum != 300 {
			t.Errorf("%v are held, want 300", sum)
		}
	})
}

func TestPrometheusFindsNothingToLintInAnyRecipe(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		defer p.client.Close()
		g := must(group.New(p.client, "/g", group.Config{}))
		list, files := g.Watch(), must(cache.New(p.client, "/c", cache.Config{}))
		defer list.Close()
		defer files.Close()
		p.metrics.Add("a \xff name", must(lock.New(p.client, "/l", lock.Config{})), must(semaphore.New(p.client, "/s", 1, semaphore.Config{})),
			must(g.Join(t.Context())), list, files, must(value.New(p.client, "/v", value.Config{})))
		await.Sleep(T)
		problems, err := testutil.GatherAndLint(p.registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
	})
}

// Prometheus may be slow to take what a scrape tells. Nobody waits for it.
func TestAScrapeThatBlocksHoldsUpNothing(t *testing.T) {
	simulate(t, func(t *testing.T, e *zktest.Ensemble) {
		p := start(t, e, "a")
		l := must(lock.New(p.client, "/l", lock.Config{}))
		p.metrics.Add("index", l)
		el := p.run("/service", election.Config{})
		await.Sleep(T)
		slow := make(chan prometheus.Metric) // nobody reads
		go p.metrics.Collect(slow)
		synctest.Wait()
		held := must(l.Acquire(t.Context()))
		await.Sleep(time.Minute)
		if !held.Valid() || el.Status().LeaseRemaining <= 0 {
			t.Error("a lease was not extended")
		}
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
		p.metrics.Remove(l, el)
		p.client.Close()
		go func() {
			for range slow {
			}
		}()
		synctest.Wait()
		close(slow)
	})
}

func TestAddPanicsOnWhatIsNoRecipe(t *testing.T) {
	for _, what := range []any{"/path", nil, (*lock.Lock)(nil), (*election.Election)(nil)} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.HasPrefix(said, "recipeprom: ") {
					t.Errorf("%T: %q; want it to be refused with what is wrong", what, said)
				}
			}()
			recipeprom.New().Add("name", what)
		}()
	}
}
