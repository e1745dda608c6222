package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// T is the session timeout in the tests with processes.
const T = 8 * time.Second

// hang guards against hanging; nothing is measured by it.
const hang = 2 * time.Minute

// virtualHang is the same in a bubble, where work that is not stopped would go on for ever without
// any time passing outside.
const virtualHang = time.Minute

var exe string // the program, built once

func TestMain(m *testing.M) {
	built, remove := proc.Build()
	exe = built
	m.Run()
	remove()
}

// instance is one running instance.
type instance struct {
	*proc.Program
	t       *testing.T
	id, url string
}

func start(t *testing.T, id string, args ...string) *instance {
	t.Helper()
	p := &instance{Program: proc.Start(t, exe, append([]string{"-listen", "127.0.0.1:0", "-id", id}, args...)...), t: t, id: id}
	n := p.Until(0, "address", func(line string) bool { return strings.HasPrefix(line, "http://") })
	p.url, _, _ = strings.Cut(p.Lines()[n], "/ ")
	return p
}

// hears waits for a line of the log that has all of these parts, if there was none yet.
func (p *instance) hears(parts ...string) {
	p.t.Helper()
	p.Until(0, strings.Join(parts, " "), func(line string) bool {
		for _, part := range parts {
			if !strings.Contains(line+" ", part+" ") {
				return false
			}
		}
		return true
	})
}

// get asks for a page.
func (p *instance) get(path string) (code int, body string) {
	p.t.Helper()
	client := http.Client{Timeout: hang}
	answer, err := client.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// shows checks that a page is there and contains some text.
func (p *instance) shows(path, text string) {
	p.t.Helper()
	if code, body := p.get(path); code != http.StatusOK || !strings.Contains(body, text) {
		p.t.Errorf("%s%s answers %d, %s; want %q in it", p.id, path, code, body, text)
	}
}

// sees checks whom an instance takes for the leader.
func (p *instance) sees(leader *instance) {
	p.t.Helper()
	code, body := p.get("/leader")
	var got struct{ ID, URL, Token string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != http.StatusOK {
		p.t.Fatalf("%d, %s: %v", code, body, err)
	}
	if got.ID != leader.id || got.URL != leader.url || got.Token == "" {
		p.t.Errorf("%s sees %+v; want %s at %s", p.id, got, leader.id, leader.url)
	}
}

func TestTheLeadershipMovesWhenTheLeaderIsTerminatedAndWhenItIsKilled(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: T / 10, Logf: func(string, ...any) {}})
	zk := []string{"-zk", e.ConnectString(), "-timeout", T.String(), "-path", "/service"}
	a := start(t, "a", append(zk, "-linger", "4s")...)
	a.hears("msg=elected", "id=a")
	b := start(t, "b", zk...)
	b.hears("msg=heir", "id=b")
	b.hears(`msg="leader seen"`, "leader=a")
	a.hears(`msg="leader seen"`, "leader=a")
	for _, p := range []*instance{a, b} {
		p.sees(a)
		p.shows("/healthz", "ok")
		p.shows("/readyz", "ready")
		p.shows("/metrics", "zkrecipe_session_connected 1")
		p.shows("/status", "<!DOCTYPE html>")
		p.shows("/status?format=json", `"path":"/service"`)
	}
	a.shows("/metrics", `zkrecipe_election_leader{name="service"} 1`)
	b.shows("/metrics", `zkrecipe_election_leader{name="service"} 0`)
	a.shows("/", "I am a, leading.")
	b.shows("/", "I am b, heir. I have sent reminders 0 times")

	a.Signal(syscall.SIGTERM)
	a.hears("msg=stopping")
	if code, _ := a.get("/readyz"); code != http.StatusServiceUnavailable { // it lingers
		t.Errorf("an instance that is being stopped answers %d to the readiness probe", code)
	}
	b.hears("msg=elected", "id=b")
	a.exits()
	b.hears(`msg="leader seen"`, "leader=b")
	b.sees(b)
	if n := inLine(e); n != 1 {
		t.Errorf("%d znodes in line, want b's", n)
	}
	if n := len(e.Sessions()); n != 1 {
		t.Errorf("%d sessions, want b's alone: a's was to be closed", n)
	}

	c := start(t, "c", append(zk, "-linger", "0s")...)
	c.hears("msg=heir", "id=c")
	b.Cmd.Process.Kill()
	c.hears("msg=elected", "id=c")
	c.hears(`msg="leader seen"`, "leader=c")
	c.sees(c)
	c.Signal(syscall.SIGTERM)
	c.exits()
	if n := inLine(e); n != 0 {
		t.Errorf("%d znodes are left in line", n)
	}
}

// Credentials are rolled out. An instance that has none yet takes part all the same.
func TestItServesWhileTheLeaderMustNotBeRead(t *testing.T) {
	for _, release := range []zktest.Release{zktest.Release380, zktest.Release395} { // the newer wants READ for exists
		t.Run(string(release), func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Release: release, Servers: 3, Tick: T / 10, Logf: func(string, ...any) {}})
			zk := []string{"-zk", e.ConnectString(), "-timeout", T.String(), "-path", "/service", "-linger", "0s"}
			client, err := session.Open(e.ConnectString(), session.Config{Timeout: T})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			s, err := client.Session(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/service", "/zkrecipe/beats"} { // everybody's
				if err := s.EnsurePath(t.Context(), path, nil); err != nil {
					t.Fatal(err)
				}
			}
			a := start(t, "a", append(zk, "-auth", "digest:u:p")...)
			a.hears("msg=elected", "id=a")
			b := start(t, "b", zk...)
			b.hears("msg=heir", "id=b")
			b.hears(`msg="leader seen"`, "hidden=true")
			if code, body := b.get("/leader"); code != http.StatusServiceUnavailable || !strings.Contains(body, "credentials") {
				t.Errorf("/leader answers %d, %s", code, body)
			}
			b.shows("/healthz", "ok")
			b.shows("/readyz", "ready")
			b.shows("/", "I am b, heir.")
			b.shows("/metrics", `zkrecipe_election_failures_total{name="service"} 0`)
			a.Signal(syscall.SIGTERM)
			b.hears("msg=elected", "id=b")
			b.hears(`msg="leader seen"`, "leader=b", "hidden=false")
			b.sees(b)
			a.exits()
			b.Signal(syscall.SIGTERM)
			b.exits()
		})
	}
}

// inLine counts the znodes of those who stand in line.
func inLine(e *zktest.Ensemble) (n int) {
	for _, node := range e.Nodes() {
		if strings.HasPrefix(node.Path, "/service/") {
			n++
		}
	}
	return n
}

// exits waits for an end in good order.
func (p *instance) exits() {
	p.t.Helper()
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		p.t.Errorf("%s: exit code %d, %s", p.id, code, stderr)
	}
}

func TestItRunsOnServersOfItsOwn(t *testing.T) {
	p := start(t, "a")
	p.hears("msg=elected", "id=a")
	p.hears(`msg="leader seen"`, "leader=a")
	p.sees(p)
	p.Signal(os.Interrupt)
	p.exits()
}

func TestItServesWithoutZooKeeper(t *testing.T) {
	p := start(t, "a", "-zk", "127.0.0.1:1", "-linger", "0s")
	p.shows("/", "I am a, ")
	p.shows("/healthz", "ok") // for ten minutes
	p.shows("/readyz", "ready")
	p.shows("/metrics", "zkrecipe_session_connected 0")
	if code, body := p.get("/leader"); code != http.StatusServiceUnavailable {
		t.Errorf("/leader answers %d, %s", code, body)
	}
	p.Signal(syscall.SIGTERM)
	p.exits()
}

func TestMistakesAreTold(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"now":                              {2, `"now"`},
		"-listen 127.0.0.1:0 -timeout 1ms": {2, "Timeout"},
		"-stop-within 0s":                  {2, "-stop-within"},
		"-linger 6s":                       {2, "-linger"},
		"-listen nowhere":                  {1, "-listen"},
		"-listen 127.0.0.1:0 -path x":      {2, `"x"`},
		"-listen 127.0.0.1:0 -zk :::":      {2, ":::"},
	} {
		code, stderr := proc.Start(t, exe, strings.Fields(args)...).Exit(hang)
		if code != want.code || !strings.Contains(stderr, want.text) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}

// The end of the term stops the work, and no unit is begun after it.
func TestNoWorkIsBegunWhenTheTermIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, end := recipetest.NewTerm(t.Context())
		s := &service{}
		ended := make(chan error)
		go func() { ended <- s.lead(term.Context(), term) }()
		time.Sleep(10*time.Second + time.Millisecond)
		end(recipe.ReasonReleased)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if s.reminded.Load() != 11 || s.swept.Load() != 4 {
			t.Errorf("reminded %d times, swept %d times, in 10 s", s.reminded.Load(), s.swept.Load())
		}
		unended, stop := context.WithTimeout(context.Background(), virtualHang)
		defer stop()
		if err := s.lead(unended, term); err != nil || s.reminded.Load() != 11 { // nor without the context's help
			t.Errorf("%v; reminded %d times", err, s.reminded.Load())
		}
	})
}

func TestAJobsErrorEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, _ := recipetest.NewTerm(t.Context())
		boom := errors.New("boom")
		ctx, stop := context.WithTimeout(t.Context(), virtualHang)
		defer stop()
		err := every(ctx, term, time.Second, func(context.Context, int64) error { return boom })
		if err != boom {
			t.Errorf("got %v", err)
		}
	})
}
