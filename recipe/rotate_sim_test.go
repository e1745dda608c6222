package recipe_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// warnings are the lines of a log at WARN and above.
type warnings struct{ lines }

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w *warnings) WithGroup(string) slog.Handler      { return w }

func (w *warnings) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return nil
	}
	return w.lines.Handle(ctx, r)
}

const (
	rotatedBeats    = "/app/beats"
	rotatedJournals = "/app/journals"
)

// leave ends the use of a recipe.
type leave func(context.Context) error

func nothing(context.Context) error { return nil }

// rotated are the recipes, in places where credentials are replaced. znodes are those that
// operations.md tells to change, without the parents. use takes what the recipe gives, and waits
// for it while another has it.
var rotated = map[string]struct {
	znodes []string
	use    func(ctx context.Context, client *session.Client, id string) (leave, error)
}{
	"election": {[]string{"/app/e", rotatedBeats}, func(ctx context.Context, client *session.Client, id string) (leave, error) {
		term, err := must(election.New(client, "/app/e", election.Config{ID: id})).Campaign(ctx)
		if err != nil {
			return nil, err
		}
		return term.Release, nil
	}},
	"lock": {[]string{"/app/l", rotatedBeats}, func(ctx context.Context, client *session.Client, id string) (leave, error) {
		held, err := must(lock.New(client, "/app/l", lock.Config{ID: id})).Acquire(ctx)
		if err != nil {
			return nil, err
		}
		return held.Release, nil
	}},
	"semaphore": {[]string{"/app/s/locks", "/app/s/leases", rotatedBeats}, func(ctx context.Context, client *session.Client, id string) (leave, error) {
		permit, err := must(semaphore.New(client, "/app/s", 1, semaphore.Config{ID: id})).Acquire(ctx)
		if err != nil {
			return nil, err
		}
		return permit.Release, nil
	}},
	"group": {[]string{"/app/g", rotatedBeats}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		g := must(group.New(client, "/app/g", group.Config{ID: "a"})) // each replaces the one before it
		list := g.Watch()
		defer list.Close()
		m, err := g.Join(ctx)
		if err != nil {
			return nil, err
		}
		now, err := list.Fresh(ctx)
		if err == nil && len(now.Members) != 1 {
			err = fmt.Errorf("%d members", len(now.Members))
		}
		return func(ctx context.Context) error {
			select {
			case <-m.Context().Done():
			case <-ctx.Done():
			}
			if cause := context.Cause(m.Context()); !errors.Is(cause, group.ErrReplaced) {
				return fmt.Errorf("it is not replaced: %w", cmp.Or(cause, context.Cause(ctx)))
			}
			return nil
		}, err
	}},
	"value": {[]string{"/app/v", rotatedJournals}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		n := must(value.NewCounter(client, "/app/v", value.CounterConfig{Config: value.Config{Journals: rotatedJournals}}))
		_, err := n.Add(ctx, 1)
		return n.Close, err
	}},
	"durable value": {[]string{"/app/v", rotatedJournals + "/mine"}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		n := must(value.NewCounter(client, "/app/v", value.CounterConfig{Config: value.Config{Journals: rotatedJournals, Durable: "mine"}}))
		_, err := n.Add(ctx, 1)
		return n.Close, err
	}},
	"barrier": {[]string{"/app"}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		b := must(barrier.New(client, "/app/b", barrier.Config{}))
		return nothing, errors.Join(b.Raise(ctx), b.Lower(ctx), b.Raise(ctx))
	}},
	"barrier that stays up": {[]string{"/app/b"}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		b := must(barrier.New(client, "/app/b", barrier.Config{}))
		if err := b.Raise(ctx); err != nil {
			return nil, err
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := b.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("the barrier does not hold back: %w", err)
		}
		return nothing, nil
	}},
	"double barrier": {[]string{"/app/d", rotatedBeats}, func(ctx context.Context, client *session.Client, _ string) (leave, error) {
		round, err := must(barrier.NewDouble(client, "/app/d", 1, barrier.Config{})).Enter(ctx)
		if err != nil {
			return nil, err
		}
		return nothing, round.Leave(ctx)
	}},
	"latch": {[]string{"/app/w"}, func(ctx context.Context, client *session.Client, id string) (leave, error) {
		l := must(latch.New(client, "/app/w", 100, latch.Config{}))
		if err := l.CountDown(ctx, "the first"); err != nil { // again
			return nil, err
		}
		if err := l.CountDown(ctx, id); err != nil {
			return nil, err
		}
		_, err := l.Count(ctx)
		return nothing, err
	}},
}

// rotate replaces the credentials of a recipe's users in the order of steps that operations.md
// gives, and changes the ACLs of these znodes. It returns what the users were told: errors of their
// calls, and lines of their logs at WARN.
func rotate(s *stage.Stage, recipe string, znodes []string) (told []string) {
	older, newer := session.Digest("svc", "old"), session.Digest("svc", "new")
	old, new := zk.DigestACL(zk.PermAll, "svc", "old"), zk.DigestACL(zk.PermAll, "svc", "new")
	ctx := s.Within(stage.Patience)
	var log warnings
	end := leave(nothing)
	// change lets one begin, and the one before it leave, as a rolling restart does.
	change := func(id string, auth ...session.Auth) {
		client := s.Open(id, session.Config{Auth: auth, Beats: rotatedBeats, Logger: slog.New(&log)})
		type begun struct {
			leave leave
			err   error
		}
		next := make(chan begun, 1)
		go func() {
			waiting, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			leave, err := rotated[recipe].use(waiting, client, id)
			next <- begun{leave, err}
		}()
		await.Sleep(4 * stage.T) // until it stands in line, if there is one
		ending, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := end(ending); err != nil {
			told = append(told, fmt.Sprintf("before %s: %v", id, err))
		}
		b := <-next
		if end = b.leave; end == nil {
			end = nothing
		}
		if b.err != nil {
			told = append(told, fmt.Sprintf("%s: %v", id, b.err))
		}
	}
	allow := func(acl ...zk.ACL) {
		for _, path := range znodes {
			stage.SetACL(s.T, s, path, acl, older, newer)
		}
	}
	change("old", older)
	change("both-1", older, newer)
	change("both-2", older, newer)
	allow(old[0], new[0])
	change("new-1", newer)
	change("new-2", newer)
	allow(new...)
	change("new-3", newer)
	return append(told, log.All()...)
}

// Credentials are replaced step by step, with the znodes that operations.md names. Nobody lacks a
// permission.
func TestCredentialsOfEachRecipeAreRotatedStepByStep(t *testing.T) {
	for name, r := range rotated {
		for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} {
			t.Run(fmt.Sprintf("%s on %s", name, release), func(t *testing.T) {
				stage.On(t, zktest.Config{Release: release}, func(s *stage.Stage) {
					for _, what := range rotate(s, name, r.znodes) {
						s.T.Error(what)
					}
				})
			})
		}
	}
}

// If one of the znodes that operations.md names keeps its former ACL, somebody is told.
func TestEachZnodeWhoseACLIsToBeRotatedIsNeeded(t *testing.T) {
	for name, r := range rotated {
		for i, path := range r.znodes {
			t.Run(name+" without "+path, func(t *testing.T) {
				stage.On(t, zktest.Config{}, func(s *stage.Stage) {
					if told := rotate(s, name, slices.Delete(slices.Clone(r.znodes), i, i+1)); len(told) == 0 {
						s.T.Error("nobody is told that its ACL does not name the new credential")
					}
				})
			})
		}
	}
}
