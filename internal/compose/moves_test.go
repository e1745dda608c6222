//go:build linux

package compose

import (
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// machine is the delay that a busy machine may add to a bound. Even with it, a crash is over before
// a session of 4 s has expired.
const machine = 1500 * time.Millisecond

// inTime calls do, which returns how long nobody led, up to three times, and demands that one of
// these times is within the bound: the machine may be busy with something else.
func (s *stage) inTime(what string, bound time.Duration, do func() time.Duration) {
	s.t.Helper()
	var took []time.Duration
	for range 3 {
		took = append(took, do())
		if took[len(took)-1] <= bound+machine {
			return
		}
	}
	s.t.Errorf("%s: the next leader took %v; want %v at most", what, took, bound)
}

// move breaks the leader and demands that another one leads within a bound, and that the page says
// so. mends lets the former leader stand again.
func (s *stage) move(how string, bound time.Duration, breaks, mends func(leader string)) {
	s.t.Helper()
	s.inTime(how, bound, func() time.Duration { return s.moved(how, bound, breaks, mends) })
}

func (s *stage) moved(how string, bound time.Duration, breaks, mends func(leader string)) (took time.Duration) {
	s.t.Helper()
	former := s.full()
	others := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c == former })
	s.note("fault", "")
	began := history.Now()
	breaks(former)
	var next history.Line
	s.until("another leader after "+former, bound+time.Minute, func() (ok bool) {
		next, ok = s.after(began, "elected", others...)
		return ok
	})
	took = time.Duration(next.T - began)
	s.t.Logf("%s: %s leads %v after %s was broken (D = %v)", how, next.ID, took.Round(time.Millisecond), former, s.lease)
	s.until("the page shows "+next.ID, time.Minute, func() bool {
		leader, _, _ := s.look()
		return leader == next.ID
	})
	mends(former)
	return took
}

// moves breaks containers in all ways, and judges the history.
func moves(t *testing.T, p *project) {
	s := &stage{project: p, t: t}
	began := time.Now()
	// Else four containers would compile the same at one time.
	_, err := p.demo(t.Context(), "run", "--rm", "--no-deps", "-T", candidates[0], "go", "build", "-o", "/tmp/", "./examples/candidate", "./examples/status")
	if err == nil {
		_, err = p.demo(t.Context(), "up", "--detach")
	}
	if err == nil {
		err = p.healthy(t.Context(), startFor, "status")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("compiled and healthy after %v", time.Since(began).Round(time.Second))
	s.full()
	session, ok := s.after(0, "session", candidates...)
	if !ok || session.LeaseMS == 0 {
		t.Fatalf("no candidate has told of its lease: %+v", session)
	}
	s.lease = time.Duration(session.LeaseMS) * time.Millisecond
	s.done = append(s.done, history.Line{ID: history.Nemesis, Event: "round", LeaseMS: s.lease.Milliseconds()})
	defer func() {
		if t.Failed() { // perhaps the servers had no leader themselves
			logs, err := p.compose(t.Context(), append([]string{"logs", "--no-color", "--timestamps", "--tail", "300"}, servers...)...)
			t.Log(logs, err)
		}
	}()
	s.candidatesBroken()
	s.serversBroken()
	s.note("closing", "")
	all := append(s.lines(), s.done...)
	slices.SortStableFunc(all, func(a, b history.Line) int { return int(min(1, max(-1, a.T-b.T))) })
	report := history.Check(all)
	for _, v := range report.Violations {
		t.Error(v)
	}
	t.Logf("%d terms, %d changes of leaders, nobody led for %v", len(report.Terms), report.Changes, report.Gaps)
}

// candidatesBroken breaks the leader's container in each way once.
func (s *stage) candidatesBroken() {
	silent := s.lease * 19 / 16 // until a leader that has said nothing is replaced
	start := func(c string) { s.note("started", c); s.docker(c, "start") }
	s.move("docker kill", silent, func(c string) { s.note("killed", c); s.docker(c, "kill") }, start)

	var asked int64
	s.move("docker stop", 0, func(c string) { asked = s.note("asked", c); s.docker(c, "stop") }, func(c string) {
		if _, ok := s.after(asked, "left", c); !ok {
			s.t.Errorf("%s was stopped and has not told that it left", c)
		}
		if code, err := s.inspect(s.t.Context(), c, "{{.State.ExitCode}}"); err != nil || code != "0" {
			s.t.Errorf("%s was stopped and ended with %s, %v; want 0", c, code, err)
		}
		start(c)
	})

	s.move("docker pause", silent, func(c string) { s.note("paused", c); s.docker(c, "pause") }, func(c string) {
		woken := s.note("continued", c)
		s.docker(c, "unpause")
		s.until(c+" knows that it was deposed", time.Minute, func() bool { _, ok := s.after(woken, "deposed", c); return ok })
	})

	s.move("docker network disconnect", silent, func(c string) {
		s.docker(c, "network", "disconnect", name+"_default")
	}, func(c string) {
		s.docker(c, "network", "connect", name+"_default")
	})
}

// reelect is how long the servers may take until two of them have a leader again and all clients:
// syncLimit is 2 s.
const reelect = 10 * time.Second

// serversBroken breaks a server that follows, and the one that leads the others.
func (s *stage) serversBroken() {
	silent := s.lease * 19 / 16
	pause := func(server string) { s.docker(server, "pause") }
	unpause := func(server string) { s.docker(server, "unpause") }
	cut := func(server string) { s.docker(server, "network", "disconnect", name+"_default") }
	join := func(server string) { s.docker(server, "network", "connect", "--alias", server, name+"_default") }
	for mode, bound := range map[string]time.Duration{"follower": silent, "leader": reelect + silent} {
		s.endure("docker pause", mode, bound, pause, unpause)
		s.endure("docker network disconnect", mode, bound, cut, join)
	}
	s.endure("docker kill", "leader", reelect+silent, func(server string) { s.docker(server, "kill") },
		func(server string) { s.docker(server, "start") })
}

// endure breaks a server, and demands that the leader goes on, or that another one leads within a
// bound.
func (s *stage) endure(how, mode string, bound time.Duration, breaks, mends func(server string)) {
	s.t.Helper()
	s.inTime(how+" of a "+mode, bound, func() time.Duration { return s.endured(how, mode, bound, breaks, mends) })
}

func (s *stage) endured(how, mode string, bound time.Duration, breaks, mends func(server string)) (took time.Duration) {
	s.t.Helper()
	leader := s.full()
	server := s.inMode(mode)
	s.note("fault", "")
	began := history.Now()
	breaks(server)
	what := leader + " leads on"
	s.until("a leader after "+how+" of "+server, bound+time.Minute, func() bool {
		if next, moved := s.after(began, "elected", candidates...); moved {
			took = time.Duration(next.T - began)
			what = next.ID + " leads after " + took.Round(time.Millisecond).String()
			return true
		}
		_, lost := s.after(began, "deposed", candidates...)
		return !lost && time.Duration(history.Now()-began) > bound+machine
	})
	s.t.Logf("%s of %s, a %s: %s", how, server, mode, what)
	mends(server)
	if err := s.healthy(s.t.Context(), startFor, servers...); err != nil {
		s.t.Fatal(err)
	}
	return took
}
