package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
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

// hang guards against a program that does not end.
const hang = 3 * time.Minute

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

// serving starts the program on a free port and returns the page's address.
func serving(t *testing.T, args ...string) (p *proc.Program, url string) {
	t.Helper()
	p = proc.Start(t, exe, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	i := p.Until(0, "an address", address.MatchString)
	return p, address.FindString(p.Lines()[i])
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: status %s, %v", url, answer.Status, err)
	}
	return string(body)
}

type shown struct {
	Connection struct{ State string }
	Leader     *struct{ ID string }
	Line       []struct{ ID string }
	Candidates []struct{ ID string }
	Terms      []struct{ ID, Reason string }
	Acquired   uint64 // how often the lock was
}

// until asks for the JSON until it is as it should be. Nothing tells when it changes.
func until(t *testing.T, url, what string, ok func(shown) bool) shown {
	t.Helper()
	var body string
	var seen shown
	await.Until(t, "page with "+what, func() bool {
		body = fetch(t, url+"?format=json")
		var all struct {
			Elections []shown
			Locks     []struct{ Acquired uint64 }
		}
		if err := json.Unmarshal([]byte(body), &all); err != nil || len(all.Elections) != 1 {
			t.Fatalf("%v in %s", err, body)
		}
		seen = all.Elections[0]
		for _, l := range all.Locks {
			seen.Acquired += l.Acquired
		}
		return ok(seen)
	}, func() any { return body })
	return seen
}

func leaves(t *testing.T, p *proc.Program) {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
}

func TestWithoutFlagsItShowsAnElectionThatGoesOn(t *testing.T) {
	p, url := serving(t, "-timeout", "1s", "-term", "500ms")
	if html := fetch(t, url); !strings.Contains(html, "<!DOCTYPE html>") {
		t.Errorf("the page is %q", html)
	}
	s := until(t, url, "three terms, with reasons, and a lock in use", func(s shown) bool { return len(s.Terms) > 3 && s.Acquired > 3 })
	if s.Terms[3].Reason == "" || len(s.Candidates) != 3 {
		t.Errorf("it shows %+v", s)
	}
	if health := fetch(t, url+"healthz"); !strings.HasPrefix(health, "ok\n") || strings.Count(health, "\n") != 1+3*2 {
		t.Errorf("health: %q", health)
	}
	leaves(t, p)
}

func TestThePageAloneStandsInNoLine(t *testing.T) {
	e := zktest.Start(t)
	p, url := serving(t, "-zk", e.ConnectString(), "-path", "/alone", "-timeout", "1s")
	s := until(t, url, "a connection", func(s shown) bool { return s.Connection.State == "connected" })
	if s.Leader != nil || len(s.Candidates) != 0 {
		t.Errorf("it shows %+v", s)
	}
	leaves(t, p)
	for _, node := range e.Nodes() {
		if strings.HasPrefix(node.Path, "/alone") {
			t.Errorf("it has created %s", node.Path)
		}
	}
}

func TestAUserOfTheServersSeesTheLine(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Users: map[string]string{"alice": "secret"}})
	p, url := serving(t, "-zk", e.ConnectString(), "-sasl", "digest:alice:secret", "-candidates", "1")
	until(t, url, "a leader", func(s shown) bool { return s.Leader != nil })
	leaves(t, p)
}

func TestWithoutAnEnsembleThePageStillAnswersAndTheProgramEnds(t *testing.T) {
	p, url := serving(t, "-zk", "127.0.0.1:1", "-candidates", "1", "-timeout", "500ms")
	until(t, url, "no connection and one candidate", func(s shown) bool { return s.Connection.State == "connecting" && len(s.Candidates) == 1 })
	leaves(t, p)
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := proc.Start(t, exe, "-listen", taken.Addr().String())
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, taken.Addr().String()) {
		t.Errorf("exit code %d, stderr %q; want 1 and the address", code, stderr)
	}
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-candidates 101", "-candidates is 101; want"},
		{"-timeout 10ms", "Timeout is 10ms; want"},
		{"-term 1ms", "-term is 1ms; want"},
		{"-term soon", `"soon"`},
		{"stray", `"stray"; want`},
	} {
		p := proc.Start(t, exe, strings.Fields(test.args)...)
		if code, stderr := p.Exit(hang); code != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and %q", test.args, code, stderr, test.want)
		}
	}
}
