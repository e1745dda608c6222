package child

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// gather returns a group of children of a role, and the ids of those that have told a line.
func gather(role string) (*Group, map[string]int) {
	told := map[string]int{}
	return NewGroup(role, nil, func(id string, _ []byte) error { told[id]++; return nil }), told
}

func TestAGroupHearsItsChildrenAndEndsThem(t *testing.T) {
	g, told := gather("echo")
	for _, id := range []string{"a", "b", "c"} {
		g.Start(id)
		g.Child(id).Send("hello")
	}
	err := g.Until(t.Context(), "lines of all", func() bool { return len(told) == 3 })
	if err != nil {
		t.Error(err)
	}
	g.Kill("b")
	if g.Child("b") != nil {
		t.Error("a killed child is still a member")
	}
	if err := g.Stop("bye", "c"); err != nil {
		t.Errorf("the end of the group: %v; want none: no child has ended by itself", err)
	}
	if told["a"] != 2 || told["b"] != 1 || told["c"] != 2 {
		t.Errorf("lines of each: %v; want 2, but 1 of the one that was killed", told)
	}
}

func TestAChildThatEndsByItselfIsTheGroupsFailure(t *testing.T) {
	g, _ := gather("fail")
	g.Start("a")
	err := g.Until(t.Context(), "end", func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "a has ended by itself") || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("the failure is %v; want who has ended, and why", err)
	}
	g.Fail(errors.New("another"))
	if again := g.Stop("", ""); again == nil || strings.Contains(again.Error(), "another") {
		t.Errorf("the end of the group: %v; want the first failure", again)
	}
}

func TestUntilEndsWithItsContext(t *testing.T) {
	g, _ := gather("echo")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := g.Until(ctx, "leader", func() bool { return false }); err == nil || err.Error() != "no leader: enough" {
		t.Errorf("it ends with %v; want what was waited for, and the cause", err)
	}
}
