//go:build linux

package compose

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

var candidates = []string{"alice", "bob", "carol"}

// stage is the election of the profile demo, with what is done to it.
type stage struct {
	*project
	t     *testing.T
	done  []history.Line // what we have done
	lease time.Duration  // D
}

// page is what we read of the status page.
type page struct {
	Elections []struct {
		Leader    *struct{ ID string } `json:"leader"`
		Heir      *struct{ ID string } `json:"heir"`
		LineTotal int                  `json:"line_total"`
	} `json:"elections"`
}

const pageAt = "http://127.0.0.1:8080/?format=json"

// look reads the page. Whatever it does not tell is empty.
func (s *stage) look() (leader, heir string, inLine int) {
	s.t.Helper()
	answer, err := http.Get(pageAt)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var p page
	if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || len(p.Elections) != 1 {
		s.t.Fatalf("the page says %+v, %v; want one election", p, err)
	}
	e := p.Elections[0]
	if e.Leader != nil {
		leader = e.Leader.ID
	}
	if e.Heir != nil {
		heir = e.Heir.ID
	}
	return leader, heir, e.LineTotal
}

// until waits for something that is only seen by looking.
func (s *stage) until(what string, bound time.Duration, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(bound); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			leader, heir, inLine := s.look()
			s.t.Fatalf("not within %v: %s; the page says leader %q, heir %q, %d in line; the lines are\n%v", bound, what, leader, heir, inLine, s.lines())
		}
	}
}

// lines returns what all candidates have told.
func (s *stage) lines() (all []history.Line) {
	s.t.Helper()
	for _, c := range candidates {
		id, err := s.container(s.t.Context(), c)
		if err != nil {
			s.t.Fatal(err)
		}
		out, err := s.run(s.t.Context(), "docker", "logs", id)
		if err != nil {
			s.t.Fatal(err)
		}
		for in := bufio.NewScanner(strings.NewReader(out)); in.Scan(); {
			var l history.Line
			if json.Unmarshal(in.Bytes(), &l) == nil { // else half a line of one that was killed
				all = append(all, l)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b history.Line) int { return int(min(1, max(-1, a.T-b.T))) })
	return all
}

// after returns the first line of an event after a time, by one of the candidates.
func (s *stage) after(t int64, event string, by ...string) (found history.Line, ok bool) {
	for _, l := range s.lines() {
		if l.T > t && l.Event == event && slices.Contains(by, l.ID) {
			return l, true
		}
	}
	return found, false
}

// note adds what is about to be done to the history.
func (s *stage) note(event, of string) int64 {
	l := history.Line{T: history.Now(), ID: history.Nemesis, Event: event, Of: of, LeaseMS: s.lease.Milliseconds(), Text: event}
	s.done = append(s.done, l)
	return l.T
}

// docker does something to a candidate's or a server's container.
func (s *stage) docker(service string, args ...string) {
	s.t.Helper()
	id, err := s.container(s.t.Context(), service)
	if err == nil {
		_, err = s.run(s.t.Context(), append([]string{"docker"}, append(args, id)...)...)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// full waits until all stand in line, and returns the leader.
func (s *stage) full() (leader string) {
	s.t.Helper()
	s.until("a leader, an heir and a third in line", time.Minute, func() bool {
		l, heir, inLine := s.look()
		leader = l
		return l != "" && heir != "" && inLine == len(candidates)
	})
	return leader
}

// machine is what an overloaded machine may add to a bound. With it a crash is still over before a session of 4 s has expired.
const machine = 1500 * time.Millisecond

// move breaks the leader and demands that another one leads within a bound, and that the page says so.
func (s *stage) move(how string, bound time.Duration, breaks func(leader string)) (former string) {
	s.t.Helper()
	former = s.full()
	others := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c == former })
	s.note("fault", "")
	began := history.Now()
	breaks(former)
	var next history.Line
	s.until("another leader after "+former, bound+10*time.Second, func() (ok bool) {
		next, ok = s.after(began, "elected", others...)
		return ok
	})
	took := time.Duration(next.T - began)
	s.t.Logf("%s: %s leads %v after %s was broken (D = %v)", how, next.ID, took.Round(time.Millisecond), former, s.lease)
	if took > bound+machine {
		s.t.Errorf("%s: the next leader took %v; want %v at most", how, took, bound)
	}
	s.until("the page shows "+next.ID, 10*time.Second, func() bool {
		leader, _, _ := s.look()
		return leader == next.ID
	})
	return former
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
		err = p.healthy(t.Context(), 3*time.Minute, "status")
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
		if t.Failed() { // perhaps the servers were without a leader themselves
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
	crashed := s.move("docker kill", silent, func(c string) { s.note("killed", c); s.docker(c, "kill") })
	s.note("started", crashed)
	s.docker(crashed, "start")

	var asked int64
	stopped := s.move("docker stop", 0, func(c string) { asked = s.note("asked", c); s.docker(c, "stop") })
	if _, ok := s.after(asked, "left", stopped); !ok {
		s.t.Errorf("%s was stopped and has not told that it left", stopped)
	}
	if code, err := s.inspect(s.t.Context(), stopped, "{{.State.ExitCode}}"); err != nil || code != "0" {
		s.t.Errorf("%s was stopped and ended with %s, %v; want 0", stopped, code, err)
	}
	s.note("started", stopped)
	s.docker(stopped, "start")

	paused := s.move("docker pause", silent, func(c string) { s.note("paused", c); s.docker(c, "pause") })
	woken := s.note("continued", paused)
	s.docker(paused, "unpause")
	s.until(paused+" knows that it was deposed", 10*time.Second, func() bool { _, ok := s.after(woken, "deposed", paused); return ok })

	cut := s.move("docker network disconnect", silent, func(c string) {
		s.docker(c, "network", "disconnect", name+"_default")
	})
	s.docker(cut, "network", "connect", name+"_default")
}

// reelect is how long the servers may take until two of them have a leader again and all clients: syncLimit is 2 s.
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

// endure breaks a server, and demands that the leader goes on, or that another one leads within a bound.
func (s *stage) endure(how, mode string, bound time.Duration, breaks, mends func(server string)) {
	s.t.Helper()
	leader := s.full()
	server := s.inMode(mode)
	s.note("fault", "")
	began := history.Now()
	breaks(server)
	var next history.Line
	var moved bool
	s.until("a leader after "+how+" of "+server, bound+20*time.Second, func() bool {
		if next, moved = s.after(began, "elected", candidates...); moved {
			return true
		}
		_, lost := s.after(began, "deposed", candidates...)
		return !lost && time.Duration(history.Now()-began) > bound+machine
	})
	what := leader + " leads on"
	if moved {
		took := time.Duration(next.T - began)
		what = next.ID + " leads after " + took.Round(time.Millisecond).String()
		if took > bound+machine {
			s.t.Errorf("%s of %s, a %s: the next leader took %v; want %v at most", how, server, mode, took, bound)
		}
	}
	s.t.Logf("%s of %s, a %s: %s", how, server, mode, what)
	mends(server)
	if err := s.healthy(s.t.Context(), time.Minute, servers...); err != nil {
		s.t.Fatal(err)
	}
}

// inMode returns a server that follows, or the one that leads.
func (s *stage) inMode(mode string) (server string) {
	s.t.Helper()
	s.until("a "+mode+" of the servers", 30*time.Second, func() bool {
		for i, address := range published {
			if is, err := tells(address, "Mode: "); err == nil && is == mode {
				server = servers[i]
			}
		}
		return server != ""
	})
	return server
}
