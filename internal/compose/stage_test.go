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
	s.until("a leader, an heir and a third in line", 2*time.Minute, func() bool {
		l, heir, inLine := s.look()
		leader = l
		return l != "" && heir != "" && inLine == len(candidates)
	})
	return leader
}

// inMode returns a server that follows, or the one that leads.
func (s *stage) inMode(mode string) (server string) {
	s.t.Helper()
	s.until("a "+mode+" of the servers", time.Minute, func() bool {
		for i, address := range published {
			if is, err := tells(address, "Mode: "); err == nil && is == mode {
				server = servers[i]
			}
		}
		return server != ""
	})
	return server
}
