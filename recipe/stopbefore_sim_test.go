package recipe_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A lease is what all that is held has in common.
type lease interface {
	Context() context.Context
	Valid() bool
}

// stoppers make each recipe that has a StopBefore. The function that they return acquires.
var stoppers = map[string]func(*session.Client, time.Duration, *slog.Logger) (func(context.Context) (lease, error), error){
	"election": func(c *session.Client, stop time.Duration, log *slog.Logger) (func(context.Context) (lease, error), error) {
		e, err := election.New(c, "/e", election.Config{StopBefore: stop, Logger: log})
		return func(ctx context.Context) (lease, error) { return e.Campaign(ctx) }, err
	},
	"lock": func(c *session.Client, stop time.Duration, log *slog.Logger) (func(context.Context) (lease, error), error) {
		l, err := lock.New(c, "/l", lock.Config{StopBefore: stop, Logger: log})
		return func(ctx context.Context) (lease, error) { return l.Acquire(ctx) }, err
	},
	"semaphore": func(c *session.Client, stop time.Duration, log *slog.Logger) (func(context.Context) (lease, error), error) {
		s, err := semaphore.New(c, "/s", 1, semaphore.Config{StopBefore: stop, Logger: log})
		return func(ctx context.Context) (lease, error) { return s.Acquire(ctx) }, err
	},
	"group": func(c *session.Client, stop time.Duration, log *slog.Logger) (func(context.Context) (lease, error), error) {
		g, err := group.New(c, "/g", group.Config{StopBefore: stop, Logger: log})
		return func(ctx context.Context) (lease, error) {
			m, err := g.Join(ctx)
			if err != nil {
				return nil, err
			}
			return m.Listing(ctx)
		}, err
	},
	"barrier": func(c *session.Client, stop time.Duration, _ *slog.Logger) (func(context.Context) (lease, error), error) {
		d, err := barrier.NewDouble(c, "/b", 1, barrier.Config{StopBefore: stop})
		return func(ctx context.Context) (lease, error) { return d.Enter(ctx) }, err
	},
}

// Servers with a tick of 100 ms grant 2 s, which cuts the lease from 4 s to 1 s. New accepts the
// same before and after that. The context of what is held ends a quarter of the cut lease before
// that lease ends.
func TestStopBeforeIsCheckedAgainstTheLeaseAskedFor(t *testing.T) {
	for name, with := range stoppers {
		stage.On(t, zktest.Config{Tick: 100 * time.Millisecond}, func(s *stage.Stage) {
			client := s.Open("a", session.Config{Timeout: 8 * time.Second})
			var text lines
			log := slog.New(&text)
			check := func(when string) (acquire func(context.Context) (lease, error)) {
				for _, wrong := range []time.Duration{-1, time.Second + 1} {
					_, err := with(client, wrong, nil)
					stage.Says(s.T, err, name+": Config.StopBefore is "+wrong.String()+"; want up to 1s, a quarter of session.Config.Lease (4s), or 0 for 250ms")
				}
				acquire, err := with(client, time.Second, log)
				if err != nil {
					s.T.Fatalf("%s %s: %v", name, when, err)
				}
				return acquire
			}
			check("before the first session")
			if D := s.Session(client).LeaseTime(); D != time.Second {
				s.T.Fatalf("the lease is %v", D)
			}
			has, err := check("with a session")(s.Within(time.Minute))
			stage.Must(s.T, err)
			s.Host("a").Drop()
			<-has.Context().Done()
			told := time.Now()
			for has.Valid() {
				await.Sleep(time.Millisecond)
			}
			if rest := time.Since(told); rest < 240*time.Millisecond || rest > 260*time.Millisecond {
				s.T.Errorf("%s: the work is told to stop %v before the lease ends; want 250ms", name, rest)
			}
			s.Host("a").Cut()
			s.Host("a").Heal()
			client.Close()
			if name != "barrier" && !text.has("StopBefore is cut to a quarter of the lease") {
				s.T.Errorf("%s: the log says\n%s", name, strings.Join(text.All(), "\n"))
			}
		})
	}
}
