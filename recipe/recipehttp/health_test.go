package recipehttp_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
)

// probe asks for the health of recipes and checks the answer.
func probe(t *testing.T, cfg recipehttp.HealthConfig, code int, word string, recipes ...any) {
	t.Helper()
	w := get(recipehttp.Health(cfg, recipes...), "GET", "/healthz")
	verdict := map[int]string{200: "ok\n", 503: "failing\n"}[code]
	if body := w.Body.String(); w.Code != code || !strings.HasPrefix(body, verdict) || !strings.Contains(body, word) {
		t.Errorf("the probe says %d, %q; want %d with %q", w.Code, body, code, word)
	}
}

func TestLeadingAndWaitingAreBothHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		a, _ := stand(t, open(t, e, "a"), election.Config{}, obedient)
		await.Sleep(time.Minute)
		b, _ := stand(t, open(t, e, "b"), election.Config{}, obedient)
		await.Sleep(time.Hour)
		probe(t, recipehttp.HealthConfig{}, 200, "leading", a)
		probe(t, recipehttp.HealthConfig{}, 200, "heir", b)
		idle, _ := election.New(open(t, e, "c"), path, election.Config{})
		probe(t, recipehttp.HealthConfig{}, 200, "idle", a, b, idle)
		probe(t, recipehttp.HealthConfig{}, 200, "ok")
	})
}

// stubborn is work that ignores the end of its term until it is released.
func stubborn(release chan struct{}) func(context.Context, *election.Term) error {
	return func(context.Context, *election.Term) error { <-release; return nil }
}

func TestWorkThatGoesOnAfterTheLeaseFailsTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		release := make(chan struct{})
		el, _ := stand(t, open(t, e, "a"), election.Config{}, stubborn(release))
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "leading", el)
		e.Host("a").Hold()
		await.Sleep(20 * time.Second) // the lease has lapsed; it has 30 s to stop
		probe(t, recipehttp.HealthConfig{}, 200, "draining", el)
		await.Sleep(30 * time.Second)
		probe(t, recipehttp.HealthConfig{}, 503, "ago (lease expired), its work still runs", el)
		probe(t, recipehttp.HealthConfig{Overrun: time.Hour}, 200, "draining", el)
		probe(t, recipehttp.HealthConfig{Overrun: -1}, 200, "draining", el)
		other, _ := election.New(open(t, e, "b"), path, election.Config{})
		probe(t, recipehttp.HealthConfig{}, 503, "another may lead", other, el)
		e.Host("a").Heal()
		close(release)
		await.Sleep(time.Minute)
		// It ends at once in every further term, and that is no fault of health's.
		probe(t, recipehttp.HealthConfig{}, 200, "", el)
	})
}

func TestDrainingIsHealthyWhileTheLeadershipIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		release := make(chan struct{})
		started := make(chan *election.Term, 1)
		el, _ := stand(t, open(t, e, "a"), election.Config{DrainTimeout: 5 * time.Minute}, func(_ context.Context, term *election.Term) error {
			started <- term
			<-release
			return election.ErrStop
		})
		(<-started).Resign()
		await.Sleep(4 * time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "draining", el)
		await.Sleep(2 * time.Minute) // given away, and the work still runs
		probe(t, recipehttp.HealthConfig{}, 503, "released", el)
		close(release)
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "idle", el)
	})
}

func TestACandidateThatCannotJoinFailsTheProbeInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		e.Host("a").Hold()
		el, _ := stand(t, open(t, e, "a"), election.Config{}, obedient)
		await.Sleep(9 * time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "joining", el)
		probe(t, recipehttp.HealthConfig{JoinWithin: 5 * time.Minute}, 503, "could not get into the line", el)
		await.Sleep(2 * time.Minute)
		probe(t, recipehttp.HealthConfig{}, 503, "could not get into the line", el)
		probe(t, recipehttp.HealthConfig{JoinWithin: -1}, 200, "joining", el)
		e.Host("a").Heal()
		await.Sleep(time.Minute)
		probe(t, recipehttp.HealthConfig{}, 200, "leading", el)
	})
}

func TestStayingOutOnPurposeIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		el, _ := stand(t, open(t, e, "a"), election.Config{Healthy: func(context.Context) error { return context.DeadlineExceeded }}, obedient)
		await.Sleep(time.Hour)
		probe(t, recipehttp.HealthConfig{}, 200, "unhealthy", el)
	})
}
