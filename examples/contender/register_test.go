package main

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// wrote returns the next write, and checks that it was announced.
func (c *contender) wrote() history.Line {
	c.t.Helper()
	writing := c.wait("writing")
	l := c.wait("wrote")
	if writing.Left != l.Left || writing.Found != l.Found || writing.Began != l.Began ||
		l.Left == "" || l.Began > writing.T || l.Token == 0 {
		c.t.Errorf("wrote: %+v after %+v", l, writing)
	}
	return l
}

func TestAHolderWritesTheRegister(t *testing.T) {
	for _, recipe := range recipeNames() {
		if recipe == "read" {
			continue // see below
		}
		t.Run(recipe, func(t *testing.T) {
			e := servers(t)
			ctx, s := admin(t, e)
			args := []string{"-recipe", recipe, "-size", "1", "-write", "/registers"}
			alice := start(t, e, "alice", args...)
			first, second := alice.wrote(), alice.wrote()
			if first.Outcome != "ok" || first.Found != "" ||
				second.Outcome != "ok" || second.Found != first.Left {
				t.Errorf("wrote: %+v, then %+v", first, second)
			}
			alice.Send("quit")
			alice.leaves()
			data, _, err := s.Get(ctx, "/registers/"+t.Name())
			if err != nil {
				t.Fatal(err)
			}
			bob := start(t, e, "bob", args...)
			if l := bob.wrote(); l.Found != string(data) || l.Left == l.Found {
				t.Errorf("wrote: %+v; want in place of %q", l, data)
			}
			bob.Send("quit")
			bob.leaves()
		})
	}
}

func TestAReaderReadsTheRegister(t *testing.T) {
	e := servers(t)
	writer := start(t, e, "writer", "-recipe", "write", "-write", "/registers")
	writer.wrote()
	writer.Send("downgrade")
	writer.wait("downgraded")
	reader := start(t, e, "reader", "-recipe", "read", "-write", "/registers")
	for _, c := range []*contender{writer, reader} {
		l := c.wait("read")
		if l.Found == "" || l.Left != l.Found || l.Began >= l.T || l.Token == 0 {
			t.Errorf("read: %+v", l)
		}
	}
}

func TestEachLockOfASetHasARegister(t *testing.T) {
	e := servers(t)
	a, b := "/"+t.Name()+"/a", "/"+t.Name()+"/b"
	both := start(t, e, "both", "-path", a+","+b, "-write", "/registers")
	for seen := map[string]bool{}; !seen[a] || !seen[b]; {
		l := both.wait("wrote")
		seen[l.Path] = seen[l.Path] || l.Outcome == "ok"
	}
	ctx, s := admin(t, e)
	for _, path := range []string{a, b} {
		if data, _, err := s.Get(ctx, "/registers"+path); err != nil || len(data) == 0 {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

func TestTheOutcomeOfAWriteIsTold(t *testing.T) {
	e := servers(t)
	writes := zktest.Match{Op: zktest.OpMulti, Path: "/registers*", Nth: 1}
	e.On(writes, zktest.Fail(zktest.CodeBadVersion))
	c := start(t, e, "c", "-write", "/registers")
	refused := c.wrote()
	if refused.Outcome != "refused" {
		t.Errorf("refused: %+v", refused)
	}
	e.On(writes, zktest.LoseReply)
	unknown := c.wrote()
	for unknown.Outcome == "ok" { // the rule may have come late
		unknown = c.wrote()
	}
	if unknown.Outcome != "unknown" {
		t.Errorf("its answer was lost: %+v", unknown)
	}
	// The servers may carry it out later than the next one, so this holder writes no more.
	c.Send("release")
	c.Send("acquire")
	if l := c.wrote(); l.Outcome != "ok" || l.Found != unknown.Left || l.Token == unknown.Token {
		t.Errorf("wrote: %+v; want in place of %q, with another token", l, unknown.Left)
	}
}
