package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"
)

// The test program is its own child: it echoes its stdin until that ends.
func TestMain(m *testing.M) {
	if !Is() {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "echo":
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Println(lines.Text())
		}
	case "fail":
		fmt.Fprintln(os.Stderr, "no idea")
		os.Exit(3)
	case "stubborn":
		signal.Notify(make(chan os.Signal, 1)) // besides, a process that waits for a signal is not dead-locked
		fmt.Println("ready")
		select {}
	}
}

// group is a group whose children's lines are kept.
type group struct {
	*Group
	told map[string][]string
}

// gather starts children with a role.
func gather(t *testing.T, role string, ids ...string) *group {
	t.Helper()
	g := &group{told: map[string][]string{}}
	g.Group = NewGroup([]string{role}, func(id string, line []byte) error {
		g.told[id] = append(g.told[id], string(line))
		if string(line) == "?" {
			return errors.New("a question")
		}
		return nil
	})
	for _, id := range ids {
		g.Start(id)
	}
	t.Cleanup(func() {
		for _, id := range ids {
			if c := g.Child(id); c != nil {
				g.Kill(id)
			}
		}
	})
	return g
}

// hears waits until so many children have told something.
func (g *group) hears(t *testing.T, n int) {
	t.Helper()
	if err := g.Until(t.Context(), "lines", func() bool { return len(g.told) == n }); err != nil {
		t.Fatal(err)
	}
}

func TestAGroupHearsItsChildrenAndEndsThem(t *testing.T) {
	g := gather(t, "echo", "a", "b", "c")
	for _, id := range []string{"a", "b", "c"} {
		g.Child(id).Send("hello " + id)
	}
	g.hears(t, 3)
	g.Kill("b")
	if g.Child("b") != nil {
		t.Error("a killed child is still a member")
	}
	if err := g.Stop("bye", "c"); err != nil {
		t.Errorf("the end of the group: %v; want none: no child has ended by itself", err)
	}
	for id, want := range map[string][]string{"a": {"hello a", "bye"}, "b": {"hello b"}, "c": {"hello c", "bye"}} {
		if !slices.Equal(g.told[id], want) {
			t.Errorf("%s has told %q; want %q", id, g.told[id], want)
		}
	}
}

func TestOneChildCanBeEnded(t *testing.T) {
	g := gather(t, "echo", "a", "b")
	g.Child("a").Send("hello")
	g.End("a")
	if g.Child("a") != nil || !slices.Equal(g.told["a"], []string{"hello"}) {
		t.Errorf("got the lines %q; want that sent, and no child", g.told["a"])
	}
	g.Child("b").Send("still here")
	g.hears(t, 2)
	if err := g.Stop("", ""); err != nil {
		t.Errorf("the end of the group: %v; want none: no child has ended by itself", err)
	}
}

func TestAPausedChildCanBeStopped(t *testing.T) {
	if !CanPause {
		t.Skip("processes cannot be paused here")
	}
	g := gather(t, "echo", "a")
	g.Child("a").Pause()
	g.Child("a").Send("while paused")
	if err := g.Stop("", ""); err != nil {
		t.Errorf("its end: %v; want none", err)
	}
	if !slices.Equal(g.told["a"], []string{"while paused"}) {
		t.Errorf("got the lines %q; want that sent", g.told["a"])
	}
}

func TestALineThatIsNotUnderstoodIsAFailure(t *testing.T) {
	g := gather(t, "echo", "a")
	g.Child("a").Send("?")
	if err := g.Stop("fine", ""); err == nil || !strings.Contains(err.Error(), "a question") {
		t.Errorf("the error is %v; want what tell has returned", err)
	}
}

func TestAKilledChildIsGone(t *testing.T) {
	g := gather(t, "stubborn", "a")
	g.hears(t, 1)
	c := g.Child("a")
	g.Kill("a")
	if c.err == nil || !strings.Contains(c.err.Error(), "killed") {
		t.Errorf("its end: %v; want that it was killed", c.err)
	}
	if _, err := io.WriteString(c.stdin, "x"); err == nil {
		t.Error("its stdin is open")
	}
	if err := g.Stop("", ""); err != nil {
		t.Errorf("the end of the group: %v; want none", err)
	}
}

func TestAChildThatDoesNotReadIsStoppedAllTheSame(t *testing.T) {
	t.Parallel()
	g := gather(t, "stubborn", "a")
	g.hears(t, 1)
	// A pipe holds 64 KiB.
	if err := g.Stop(strings.Repeat("x", 1<<20), ""); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("its end: %v; want that it was killed", err)
	}
}

func TestAChildThatEndsByItselfIsTheGroupsFailure(t *testing.T) {
	g := gather(t, "fail", "a")
	err := g.Until(t.Context(), "end", func() bool { return false })
	for _, want := range []string{"a has ended by itself", "exit status 3 no idea"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the failure is %v; want %q in it", err, want)
		}
	}
	g.Fail(errors.New("another"))
	if again := g.Stop("", ""); again == nil || strings.Contains(again.Error(), "another") {
		t.Errorf("the end of the group: %v; want the first failure", again)
	}
}

func TestUntilEndsWithItsContext(t *testing.T) {
	g := gather(t, "echo")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := g.Until(ctx, "leader", func() bool { return false }); err == nil || err.Error() != "no leader: enough" {
		t.Errorf("it ends with %v; want what was waited for, and the cause", err)
	}
}
