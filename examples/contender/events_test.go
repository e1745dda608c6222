package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// admin returns a session of an administrator.
func admin(t *testing.T, e *zktest.Ensemble) (context.Context, *session.Session) {
	t.Helper()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx := await.Context(t)
	s, err := client.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// node waits until the contender has a znode at the path of the test, and returns it.
func (c *contender) node(e *zktest.Ensemble) (node string) {
	c.t.Helper()
	id := c.told("session").Session
	await.Until(c.t, "znode of session "+id, func() bool {
		for _, n := range e.Nodes() {
			if strings.HasPrefix(n.Path, "/"+c.t.Name()) && fmt.Sprintf("%#x", n.Stat.EphemeralOwner) == id {
				node = n.Path
			}
		}
		return node != ""
	}, func() any { return e.Nodes() })
	return node
}

// told returns the first line of an event, whatever was waited for: it may come after "acquired".
func (c *contender) told(event string) (found history.Line) {
	c.t.Helper()
	c.Until(0, "line "+event, func(text string) bool {
		found = parseLine(c.t, text)
		return found.Event == event
	})
	return found
}

func TestEventsAreTold(t *testing.T) {
	broken := errors.New("broken")
	const n = "/l/lock-0000000007"
	for name, c := range map[string]struct {
		lock   lock.Event
		permit semaphore.Event
		event  string
		node   string
		text   string
	}{
		"a failed attempt":     {lock: lock.Event{Kind: lock.EventFailed, Err: broken}, event: "error", text: "broken"},
		"a slow change":        {lock: lock.Event{Kind: lock.EventImpaired, Err: broken}, event: "error", text: "broken"},
		"a persistent znode":   {lock: lock.Event{Kind: lock.EventBlocked, Node: n}, event: "error", text: n},
		"a silent holder":      {lock: lock.Event{Kind: lock.EventTookOver, Node: n}, event: "takeover", node: n},
		"a lease that may run": {lock: lock.Event{Kind: lock.EventWithheld, Node: n}, event: "withheld", node: n},
		"what has a line":      {lock: lock.Event{Kind: lock.EventJoined, Node: n}},
		"of a permit, failed":  {permit: semaphore.Event{Kind: semaphore.EventFailed, Err: broken}, event: "error", text: "broken"},
		"slow":                 {permit: semaphore.Event{Kind: semaphore.EventImpaired, Err: broken}, event: "error", text: "broken"},
		"persistent":           {permit: semaphore.Event{Kind: semaphore.EventBlocked, Node: n}, event: "error", text: n},
		"silent":               {permit: semaphore.Event{Kind: semaphore.EventTookOver, Node: n}, event: "takeover", node: n},
		"room, but a lease":    {permit: semaphore.Event{Kind: semaphore.EventWithheld}, event: "withheld"},
		"in the line":          {permit: semaphore.Event{Kind: semaphore.EventJoined, Node: n}, event: "entered", node: n},
		"out of the line":      {permit: semaphore.Event{Kind: semaphore.EventLeft, Node: "/s/locks/n"}, event: "abandoned", node: "/s/locks/n"},
		"a permit's end":       {permit: semaphore.Event{Kind: semaphore.EventLeft, Node: "/s/leases/n"}},
		"a permit":             {permit: semaphore.Event{Kind: semaphore.EventAcquired, Node: n}},
	} {
		var out bytes.Buffer
		p := &program{out: lines.New(&out, "alice")}
		tell := func() {
			if c.lock.Kind != 0 {
				p.lockEvent(c.lock)
			} else {
				p.permitEvent(c.permit)
			}
		}
		tell()
		var got history.Line
		if out.Len() > 0 {
			got = parseLine(t, out.String())
		}
		if got.Event != c.event || got.Node != c.node || !strings.Contains(got.Error, c.text) || (c.text == "") != (got.Error == "") {
			t.Errorf("%s: %s", name, &out)
		}
		out.Reset()
		p.out.Last("left")
		tell()
		if l := parseLine(t, out.String()); l.Event != "left" || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s, after the end: %s", name, &out)
		}
	}
}

// A persistent znode ahead is told, and so is what is refused again and again.
func TestItTellsWhyItDoesNotGetTheLock(t *testing.T) {
	for recipe, prefix := range map[string]string{"lock": "/lock-", "semaphore": "/leases/lease-"} {
		t.Run(recipe, func(t *testing.T) {
			e := servers(t)
			ctx, s := admin(t, e)
			c := start(t, e, "c", "-recipe", recipe, "-size", "1")
			c.wait("acquired") // the path is there
			c.Send("release")
			c.wait("released")
			planted, err := s.Create(ctx, "/"+t.Name()+prefix, nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
			if err != nil {
				t.Fatal(err)
			}
			c.Send("acquire")
			if l := c.wait("error"); !strings.Contains(l.Error, planted+" is a persistent znode") {
				t.Errorf("error: %+v", l)
			}
			if err := s.Delete(ctx, planted, -1); err != nil {
				t.Fatal(err)
			}
			c.wait("acquired")
			c.Send("release")
			c.wait("released")
			refused := e.On(zktest.Match{Path: "/" + t.Name() + "*"}, zktest.Fail(zktest.CodeRuntimeInconsistency))
			c.Send("acquire")
			for range 2 {
				if l := c.wait("error"); l.Error == "" {
					t.Errorf("error: %+v", l)
				}
			}
			refused.Remove()
			c.wait("acquired")
			c.Send("quit")
			c.wait("left")
			c.leaves()
		})
	}
}

func TestATakeoverIsTold(t *testing.T) {
	for _, recipe := range []string{"lock", "semaphore"} {
		t.Run(recipe, func(t *testing.T) {
			e := servers(t)
			args := []string{"-recipe", recipe, "-size", "1", "-lease", "1s"}
			a := start(t, e, "a", args...)
			a.wait("acquired")
			node := a.node(e)
			b := start(t, e, "b", args...)
			b.node(e) // it stands in line
			a.Cmd.Process.Kill()
			b.wait("acquired")
			if l := b.told("takeover"); l.Node != node {
				t.Errorf("takeover: %+v; want %s", l, node)
			}
		})
	}
}

func TestAWithheldPlaceIsTold(t *testing.T) {
	for _, recipe := range []string{"lock", "semaphore"} {
		t.Run(recipe, func(t *testing.T) {
			e := servers(t)
			ctx, s := admin(t, e)
			args := []string{"-recipe", recipe, "-size", "1"}
			a := start(t, e, "a", args...)
			a.wait("acquired")
			node := a.node(e)
			b := start(t, e, "b", args...)
			own := b.node(e)     // it stands in line
			a.Cmd.Process.Kill() // it announces nothing
			if err := s.Delete(ctx, node, -1); err != nil {
				t.Fatal(err)
			}
			if l := b.wait("withheld"); recipe == "lock" && l.Node != own {
				t.Errorf("withheld: %+v; want %s", l, own)
			}
		})
	}
}
