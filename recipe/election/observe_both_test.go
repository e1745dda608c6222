package election_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// follow follows an observer until the test ends.
func follow(t *testing.T, o *election.Observer) *await.List[election.Candidate] {
	t.Helper()
	var s await.List[election.Candidate]
	done := make(chan error, 1)
	go func() { done <- each(context.Background(), o, s.Add) }()
	t.Cleanup(func() {
		o.Close()
		if err := <-done; !errors.Is(err, session.ErrClosed) {
			t.Errorf("Next returned %v", err)
		}
		// It may skip leaders, but not tell one twice, nor in another order.
		last := int64(0)
		for i, l := range s.All() {
			if l.Token != 0 && l.Token < last {
				t.Errorf("token %d after %d", l.Token, last)
			}
			if i > 0 && l.Token == s.All()[i-1].Token && bytes.Equal(l.Data, s.All()[i-1].Data) {
				t.Errorf("told twice: %+v", l)
			}
			last = max(last, l.Token)
		}
	})
	return &s
}

// each calls f with each leader that Next returns, until Next returns an error.
func each(ctx context.Context, o *election.Observer, f func(election.Candidate)) error {
	for {
		l, err := o.Next(ctx)
		if err != nil {
			return err
		}
		f(l)
	}
}

func current(t *testing.T, o *election.Observer, what string, ok func(election.Candidate) bool) {
	t.Helper()
	await.Until(t, what, func() bool { l, known := o.Current(); return known && ok(l) })
}

func observe(t *testing.T, client *session.Client, path string) *election.Observer {
	t.Helper()
	return handle(t, client, path).Observe()
}

// handle is for an election that is looked at only.
func handle(t *testing.T, client *session.Client, path string) *election.Election {
	t.Helper()
	el, err := election.New(client, path, election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return el
}

func nobody(l election.Candidate) bool { return l.Node == "" && l.ID == "" && l.Token == 0 }

func TestAnObserverFollowsTheLeader(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		watcher := open(t, w, session.Config{Timeout: time.Second})
		o := observe(t, watcher, path)
		s := follow(t, o)
		current(t, o, "nobody on a missing path", nobody)

		client := open(t, e, session.Config{})
		a := run(t, client, path, "a", election.Config{Data: []byte("first")})
		a.events.wait(election.EventJoined, 1)
		b := run(t, client, path, "b", election.Config{Data: []byte("second")})
		b.events.wait(election.EventJoined, 1)
		is := func(id, data string) func(election.Candidate) bool {
			return func(l election.Candidate) bool {
				return l.ID == id && string(l.Data) == data && l.Token != 0 && l.Node != ""
			}
		}
		current(t, o, "leader", is("a", "first"))
		term := a.term()
		if l, _ := o.Current(); l.Token != term.Token() {
			t.Errorf("observed token %d, want %d", l.Token, term.Token())
		}

		// Written after b has joined: b's znode is older than what is known of a's.
		if err := term.Proclaim(within(t), []byte("proclaimed")); err != nil {
			t.Fatal(err)
		}
		current(t, o, "proclaimed data", is("a", "proclaimed"))
		a.stop()
		current(t, o, "next leader", is("b", "second"))

		// Through the loss of the session.
		old := watcher.Status().Session
		w.crash()
		await.Until(t, "end of the session", func() bool { return watcher.Status().State == session.StateLost || watcher.Status().Session != old })
		b.stop()
		w.heal()
		current(t, o, "nobody", nobody)

		// Through the deletion of the path.
		if err := mustSession(t, client).Delete(within(t), path, -1); err != nil {
			t.Fatal(err)
		}
		c := run(t, client, path, "c", election.Config{})
		current(t, o, "leader of a new path", is("c", ""))
		c.stop()
		current(t, o, "nobody", nobody)
		if n := len(s.All()); n < 5 {
			t.Errorf("only %d leaders told: %+v", n, s.All())
		}
		// A second observer begins with the present state, and ends by itself.
		second := observe(t, client, path)
		current(t, second, "nobody", nobody)
		second.Close()
		second.Close()
		if err := each(within(t), second, func(election.Candidate) {}); err == nil {
			t.Error("Next goes on after Close")
		}
	})
}

func TestOddDataReachesObserversUnchanged(t *testing.T) {
	for name, data := range map[string][]byte{
		"nil": nil, "empty": {}, "binary": {0, 1, '\n', 0xff, 0xfe, '\n', 0}, "newline": []byte("\n"), "large": bytes.Repeat([]byte{0xa5}, 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, e shared.Servers) {
				path := pathFor(t)
				client := open(t, e, session.Config{})
				o := observe(t, client, path)
				defer o.Close()
				a := run(t, client, path, "ä b/c", election.Config{Data: data})
				right := func(l election.Candidate) bool { return l.ID == "ä b/c" && bytes.Equal(l.Data, data) }
				current(t, o, "leader", right)
				if err := a.term().Proclaim(within(t), nil); err != nil {
					t.Fatal(err)
				}
				current(t, o, "no data", func(l election.Candidate) bool { return l.ID == "ä b/c" && len(l.Data) == 0 })
				line, err := a.Candidates(within(t))
				if err != nil || len(line) != 1 || line[0].ID != "ä b/c" || len(line[0].Data) != 0 || line[0].Session != client.Status().Session {
					t.Errorf("candidates %+v, %v", line, err)
				}
			})
		})
	}
}

func TestMultiOfATermCannotLandInALaterOne(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		a := run(t, client, path, "a", election.Config{})
		term := a.term()
		if _, err := term.Multi(within(t)); err != nil {
			t.Errorf("nothing but the check: %v", err)
		}
		if err := term.Proclaim(within(t), make([]byte, 1_000_001)); err == nil {
			t.Error("Proclaim takes too much")
		}
		// The znode is deleted, and the leader does not hear of it. What it sends before it hears
		// of that fails.
		if err := mustSession(t, admins(t, e)).Delete(within(t), term.Node(), -1); err != nil {
			t.Fatal(err)
		}
		if err := term.Proclaim(within(t), []byte("late")); !errors.Is(err, recipe.ErrNotHeld) {
			t.Errorf("Proclaim after the deletion: %v", err)
		}
		<-term.Context().Done()
		if _, err := term.Multi(within(t)); !errors.Is(err, recipe.ErrNotHeld) {
			t.Errorf("Multi after the term: %v", err)
		}
	})
}
