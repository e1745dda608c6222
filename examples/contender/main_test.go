package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var exe string

func TestMain(m *testing.M) {
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	remove()
}

// leaveWithin is what the program promises after a signal or "quit", 5 s, and as much as a busy
// machine may take from it.
const leaveWithin = 20 * time.Second

// contender is a program whose lines are understood.
type contender struct {
	*proc.Program
	t    *testing.T
	next int // the first line that has not been waited for
}

// servers starts an ensemble for a test.
func servers(t *testing.T) *zktest.Ensemble {
	t.Helper()
	return zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second})
}

// start runs a contender for the lock of the test.
func start(t *testing.T, e *zktest.Ensemble, id string, args ...string) *contender {
	t.Helper()
	args = append([]string{"-zk", e.ConnectString(), "-path", "/" + t.Name(), "-id", id, "-timeout", "12s", "-lease", "5s"}, args...)
	return &contender{Program: proc.Start(t, exe, args...), t: t}
}

func parseLine(t *testing.T, text string) history.Line {
	t.Helper()
	var l history.Line
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("line %s: %v", text, err)
	}
	return l
}

// wait returns the next line of an event. The lines up to it are passed over.
func (c *contender) wait(event string) (found history.Line) {
	c.t.Helper()
	c.next = 1 + c.Until(c.next, "line "+event, func(text string) bool {
		found = parseLine(c.t, text)
		return found.Event == event
	})
	return found
}

// leaves checks that the program ends as it promises.
func (c *contender) leaves() {
	c.t.Helper()
	if code, stderr := c.Exit(leaveWithin); code != 0 || stderr != "" {
		c.t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
}

// span is what beats prove of one acquisition.
type span struct{ first, last int64 }

func (c *contender) spanOf(token int64) (s span) {
	c.t.Helper()
	stamp := int64(0)
	for _, text := range c.Lines() {
		l := parseLine(c.t, text)
		if l.T < stamp {
			c.t.Errorf("%s is stamped before the line ahead of it", text)
		}
		stamp = l.T
		if l.Event == "beat" && l.Token == token {
			if s.first == 0 {
				s.first = l.T
			}
			s.last = l.T
		}
	}
	if s.first == 0 {
		c.t.Errorf("no beat with token %d", token)
	}
	return s
}

func TestItRunsWithoutFlags(t *testing.T) {
	c := &contender{Program: proc.Start(t, exe), t: t}
	c.wait("acquired")
	c.wait("beat")
	c.Send("quit")
	c.wait("released")
	c.wait("left")
	c.leaves()
}

func TestLinesTellTheLifeOfTwoContenders(t *testing.T) {
	e := servers(t)
	alice := start(t, e, "alice")
	if l := alice.wait("session"); !strings.HasPrefix(l.Session, "0x") || l.TimeoutMS != 12000 || l.LeaseMS != 5000 || l.ID != "alice" {
		t.Errorf("session: %+v", l)
	}
	first := alice.wait("acquired")
	if first.Token <= 0 || first.Deadline <= first.T {
		t.Errorf("acquired: %+v", first)
	}
	bob, carol := start(t, e, "bob"), start(t, e, "carol", "-try", "-times", "1")
	carol.wait("busy")
	carol.wait("left")
	carol.leaves()
	bob.wait("waiting")
	bob.Send("release")
	bob.wait("error")
	alice.Send("acquire")
	alice.wait("error")
	alice.wait("beat")
	alice.Send("release")
	if l := alice.wait("released"); l.Token != first.Token {
		t.Errorf("released: %+v", l)
	}
	second := bob.wait("acquired")
	bob.wait("beat")
	alice.Send("acquire")
	alice.wait("waiting")
	bob.Send("quit")
	bob.wait("left")
	bob.leaves()
	third := alice.wait("acquired")
	alice.wait("beat")
	alice.Cmd.Process.Signal(syscall.SIGTERM)
	alice.wait("left")
	alice.leaves()
	if first.Token >= second.Token || second.Token >= third.Token {
		t.Errorf("tokens %d, %d, %d", first.Token, second.Token, third.Token)
	}
	a, b, c := alice.spanOf(first.Token), bob.spanOf(second.Token), alice.spanOf(third.Token)
	if a.last >= b.first || b.last >= c.first {
		t.Errorf("two held it at once: %+v, %+v, %+v", a, b, c)
	}
}

func TestReadersHoldTogetherAndWritersAlone(t *testing.T) {
	e := servers(t)
	one, two := start(t, e, "one", "-recipe", "read"), start(t, e, "two", "-recipe", "read")
	one.wait("acquired")
	two.wait("acquired")
	writer := start(t, e, "writer", "-recipe", "write")
	writer.wait("session")
	one.Send("release")
	last := one.wait("released")
	two.Send("release")
	if l := two.wait("released"); l.T > last.T {
		last = l
	}
	if l := writer.wait("acquired"); l.T < last.T {
		t.Errorf("the writer at %d, the last reader until %d", l.T, last.T)
	}
	busy := start(t, e, "busy", "-recipe", "read", "-try", "-times", "1")
	busy.wait("busy")
	busy.leaves()
}

func TestALossIsToldWithItsReason(t *testing.T) {
	for _, kind := range recipeNames() {
		t.Run(kind, func(t *testing.T) {
			e := servers(t)
			c := start(t, e, "c", "-recipe", kind)
			session := c.wait("session").Session
			first := c.wait("acquired")
			id, err := strconv.ParseUint(session, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			e.ExpireSession(int64(id))
			if l := c.wait("lost"); l.Token != first.Token || l.Reason == "" {
				t.Errorf("lost: %+v", l)
			}
			if l := c.wait("session"); l.Session == session {
				t.Errorf("the session has expired: %+v", l)
			}
			c.Send("acquire")
			if l := c.wait("acquired"); l.Token <= first.Token {
				t.Errorf("token %d after %d", l.Token, first.Token)
			}
			c.Send("quit")
			c.leaves()
		})
	}
}

func TestOneThatWaitsLeavesWhenAsked(t *testing.T) {
	for waiter, holder := range map[string]string{"lock": "lock", "read": "write", "write": "read", "semaphore": "semaphore"} {
		t.Run(waiter, func(t *testing.T) {
			e := servers(t)
			a := start(t, e, "a", "-recipe", holder, "-size", "1")
			a.wait("acquired")
			b := start(t, e, "b", "-recipe", waiter, "-size", "1")
			b.wait("waiting")
			b.Send("quit")
			b.wait("left")
			b.leaves()
			a.Send("release")
			a.wait("released")
			c := start(t, e, "c", "-recipe", waiter, "-size", "1")
			c.wait("acquired")
		})
	}
}

func TestServersThatDoNotAnswerDoNotHoldUpTheExit(t *testing.T) {
	e := servers(t)
	holder := start(t, e, "holder")
	holder.wait("acquired")
	waiter := start(t, e, "waiter")
	waiter.wait("waiting")
	for _, s := range e.Servers() {
		s.Freeze()
	}
	holder.Send("quit")
	waiter.Signal(syscall.SIGTERM)
	holder.leaves()
	waiter.leaves()
}

// With -hold 100ms and -beat 40ms there are three beats in a round, on a slow machine a few more.
// With the default of -beat there are ten.
func TestRoundsAreCounted(t *testing.T) {
	const rest, most = 30 * time.Millisecond, 6
	e := servers(t)
	c := start(t, e, "c", "-hold", "100ms", "-rest", rest.String(), "-beat", "40ms", "-times", "5")
	c.wait("left")
	c.leaves()
	var rounds, beats int
	var released int64
	for _, text := range c.Lines() {
		switch l := parseLine(t, text); l.Event {
		case "waiting":
			if d := time.Duration(l.T - released); rounds > 0 && d < rest {
				t.Errorf("it asks again after %v", d)
			}
		case "beat":
			beats++
		case "released":
			rounds, released = rounds+1, l.T
		}
	}
	if rounds != 5 {
		t.Errorf("released %d times", rounds)
	}
	if beats == 0 || beats > most*rounds {
		t.Errorf("%d beats in %d rounds", beats, rounds)
	}
}

func TestAUserOfTheServersGetsTheLock(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second, Users: map[string]string{"alice": "secret"}})
	alice := start(t, e, "alice", "-sasl", "digest:alice:secret")
	alice.wait("acquired")
	stranger := start(t, e, "mallory")
	stranger.wait("error") // the znodes are alice's
	if code, _ := stranger.Exit(time.Minute); code != 1 {
		t.Errorf("a contender that is refused exits with %d; want 1", code)
	}
	alice.Signal(syscall.SIGTERM)
	alice.leaves()
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-recipe", "sword"}, {"-hold", "-1s"}, {"-rest", "x"}, {"-rest", "-1ns"}, {"-times", "-1"}, {"-beat", "0"}, {"-style", "zoo"},
		{"-recipe", "semaphore", "-style", "kazoo"}, {"-recipe", "semaphore", "-size", "-1"}, {"-recipe", "semaphore", "-size", "4097"},
		{"-recipe", "semaphore", "-permits", "0"}, {"-recipe", "semaphore", "-permits", "2", "-try"}, {"-permits", "2"},
		{"-recipe", "semaphore", "-path", "/a,/b"}, {"-path", "/a,/b", "-try"}, {"-path", "/a,"}, {"-path", "/a,/b,/a"},
		{"-write", "r"}, {"-write", "/r", "-recipe", "semaphore"},
		{"-lease", "1h"}, {"-path", "l"}, {"-zk", "a:b:c"}, {"more"},
	} {
		p := proc.Start(t, exe, args...)
		if code, stderr := p.Exit(time.Minute); code != 2 || !strings.HasPrefix(stderr, "contender: ") {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr)
		}
	}
}

// A contender that cannot go on tells why before its last line, which is the last one.
func TestTheReasonComesBeforeTheLastLine(t *testing.T) {
	e := servers(t)
	a := start(t, e, "a", "-recipe", "semaphore", "-size", "2")
	a.wait("acquired")
	b := start(t, e, "b", "-recipe", "semaphore", "-size", "3")
	if l := b.wait("error"); !strings.Contains(l.Error, "2") {
		t.Errorf("%+v", l)
	}
	b.wait("left")
	if code, _ := b.Exit(leaveWithin); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if rest := b.Lines()[b.next:]; len(rest) > 0 {
		t.Errorf("after the last line: %q", rest)
	}
	a.Send("quit")
	a.leaves()
}
