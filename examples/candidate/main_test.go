package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var exe string

func TestMain(m *testing.M) {
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	ensemble.CloseShared()
	remove()
}

// leaveWithin is what the program promises after a signal or "quit", 5 s, and as much as a busy
// machine may take from it.
const leaveWithin = 20 * time.Second

// program is a candidate whose lines are understood.
type program struct {
	*proc.Program
	t    *testing.T
	next int // the first line that has not been waited for
}

// three returns an ensemble whose servers may all be frozen at once, see ensemble.Config.SyncLimit.
func three(t *testing.T) *ensemble.Ensemble {
	t.Helper()
	return ensemble.Shared(t, ensemble.Config{Servers: 3, SyncLimit: 120})
}

func pathOf(t *testing.T) string { return "/" + strings.ReplaceAll(t.Name(), "/", "-") }

// start runs a candidate on the shared ensemble, in the election of the test.
func start(t *testing.T, id string, args ...string) *program {
	t.Helper()
	args = append([]string{"-zk", three(t).ConnectString(), "-path", pathOf(t), "-id", id, "-timeout", "10s", "-lease", "4s"}, args...)
	return &program{Program: proc.Start(t, exe, args...), t: t}
}

func parse(t *testing.T, text string) lines.Line {
	t.Helper()
	var l lines.Line
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("line %s: %v", text, err)
	}
	return l
}

// wait returns the next line of an event. The lines up to it are passed over.
func (p *program) wait(event string) lines.Line {
	p.t.Helper()
	return p.waitFor(event, func(lines.Line) bool { return true })
}

func (p *program) waitFor(event string, ok func(lines.Line) bool) lines.Line {
	p.t.Helper()
	var found lines.Line
	p.next = 1 + p.Until(p.next, "line "+event, func(text string) bool {
		found = parse(p.t, text)
		return found.Event == event && ok(found)
	})
	return found
}

// leaves checks that the program ends as it promises.
func (p *program) leaves() {
	p.t.Helper()
	if code, stderr := p.Exit(leaveWithin); code != 0 || stderr != "" {
		p.t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
}

// connect returns a session to look around with.
func connect(t *testing.T, auth ...session.Auth) *session.Session {
	t.Helper()
	c, err := session.Open(three(t).ConnectString(), session.Config{Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := c.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// standing lists the znodes in line.
func standing(t *testing.T, s *session.Session) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.QuorumSync(ctx, pathOf(t)); err != nil {
		t.Fatal(err)
	}
	children, _, err := s.Children(ctx, pathOf(t))
	if err != nil {
		t.Fatal(err)
	}
	return children
}

func TestItRunsWithoutFlags(t *testing.T) {
	p := &program{Program: proc.Start(t, exe), t: t}
	p.wait("beat")
	p.Send("quit")
	p.wait("left")
	p.leaves()
}

func TestLinesTellTheLifeOfTwoCandidates(t *testing.T) {
	before := lines.Now()
	alice := start(t, "alice")
	if l := alice.wait("session"); !isSession(l.Session) || l.TimeoutMS != 10000 || l.LeaseMS != 4000 || l.ID != "alice" || l.T < before {
		t.Errorf("session: %+v", l)
	}
	if l := alice.wait("joined"); !strings.HasPrefix(l.Node, pathOf(t)+"/_c_") || !strings.Contains(l.Node, "-latch-") || l.Position != 0 {
		t.Errorf("joined: %+v", l)
	}
	elected := alice.wait("elected")
	if elected.Token <= 0 || elected.Deadline <= elected.T || elected.Deadline > elected.T+int64(4*time.Second) {
		t.Errorf("elected: %+v", elected)
	}
	if l := alice.wait("beat"); l.Token != elected.Token || l.T < elected.T || l.T >= l.Deadline {
		t.Errorf("beat: %+v after %+v", l, elected)
	}
	bob := start(t, "bob", "-style", "lock", "-data", "10.0.0.7")
	if l := bob.wait("joined"); l.Position != 1 || !strings.Contains(l.Node, "-lock-") {
		t.Errorf("joined: %+v", l)
	}
	bob.wait("heir")

	alice.Send("resign")
	if l := alice.wait("deposed"); l.Token != elected.Token || l.Reason != "resigned" {
		t.Errorf("deposed: %+v", l)
	}
	second := bob.wait("elected")
	if second.Token <= elected.Token {
		t.Errorf("bob's token is %d after alice's %d", second.Token, elected.Token)
	}
	alice.wait("left")
	if l := alice.wait("joined"); l.Position != 1 {
		t.Errorf("joined: %+v", l)
	}
	alice.wait("heir")
	bob.wait("beat")
	bob.Send("quit")
	third := alice.wait("elected")
	bob.wait("left")
	bob.leaves()
	alice.Send("quit")
	alice.wait("left")
	alice.leaves()

	terms := []proven{provenOf(t, alice, elected.Token), provenOf(t, bob, second.Token), provenOf(t, alice, third.Token)}
	for i := 1; i < len(terms); i++ {
		if terms[i-1].last >= terms[i].first {
			t.Errorf("two led at once: %+v", terms)
		}
	}
}

// proven is what beats prove of a term.
type proven struct{ first, last int64 }

func provenOf(t *testing.T, p *program, token int64) (r proven) {
	stamp := int64(0)
	for _, text := range p.Lines() {
		l := parse(t, text)
		if l.T < stamp {
			t.Errorf("%s is stamped before the line ahead of it", text)
		}
		stamp = l.T
		if l.Event == "beat" && l.Token == token {
			if r.first == 0 {
				r.first = l.T
			}
			r.last = l.T
		}
	}
	if r.first == 0 {
		t.Errorf("no beat with token %d", token)
	}
	return r
}

func isSession(s string) bool {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
	return strings.HasPrefix(s, "0x") && err == nil && n != 0
}

func TestSignalsMakeItLeaveTheLine(t *testing.T) {
	look := connect(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		p := start(t, signal.String())
		p.wait("beat")
		if n := len(standing(t, look)); n != 1 {
			t.Errorf("%d znodes in line; want 1", n)
		}
		p.Signal(signal)
		p.wait("left")
		p.leaves()
		// Servers that are slow do not hold up the exit. The deletion has been asked for by then.
		await.Until(t, "end of the znode", func() bool { return len(standing(t, look)) == 0 })
	}
}

// freeze stops all servers of the shared ensemble until the test ends.
func freeze(t *testing.T) {
	t.Helper()
	e := three(t)
	if e.External() {
		t.Skip("cannot freeze somebody else's ensemble")
	}
	t.Cleanup(func() {
		for _, s := range e.Servers() {
			s.Thaw()
		}
	})
	for _, s := range e.Servers() {
		if err := s.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFrozenEnsembleDeposesButDoesNotHoldUpTheExit(t *testing.T) {
	leader := start(t, "leader")
	leader.wait("beat")
	heir := start(t, "heir")
	heir.wait("heir")
	freeze(t)
	if l := leader.wait("deposed"); l.Reason != "lease expired" {
		t.Errorf("deposed: %+v", l)
	}
	for _, p := range []*program{leader, heir} {
		p.Signal(syscall.SIGTERM)
		p.leaves()
	}
}

func TestALeaderTellsThatItsConnectionIsLost(t *testing.T) {
	leader := start(t, "leader")
	leader.wait("beat")
	freeze(t)
	leader.Until(leader.next, "line suspended or left", func(text string) bool {
		event := parse(t, text).Event
		if event == "left" {
			t.Fatal("it has left the line without a word of its connection")
		}
		return event == "suspended"
	})
}

func TestWhoIsConnectedAgainTellsItsSessionAgain(t *testing.T) {
	leader := start(t, "leader")
	leader.wait("beat")
	heir := start(t, "heir")
	before := heir.wait("session")
	heir.wait("heir")
	freeze(t)
	heir.wait("suspended")
	for _, s := range three(t).Servers() {
		s.Thaw()
	}
	if again := heir.wait("session"); again.Session != before.Session {
		t.Errorf("connected again in session %q, after %q", again.Session, before.Session)
	}
}

func TestWithoutAnEnsembleItSaysSoAndStillLeaves(t *testing.T) {
	p := start(t, "alice", "-zk", "127.0.0.1:1", "-timeout", "400ms", "-lease", "200ms")
	p.Stdin.Close() // which is no command
	for range 2 {
		if l := p.wait("error"); !strings.Contains(l.Error, "127.0.0.1:1") {
			t.Errorf("error: %+v", l)
		}
	}
	p.Signal(syscall.SIGTERM)
	p.leaves()
}

func TestCommandsThatMakeNoSenseAreErrors(t *testing.T) {
	leader := start(t, "leader")
	leader.wait("elected")
	heir := start(t, "heir")
	heir.wait("heir")
	for _, test := range []struct {
		p             *program
		command, want string
	}{
		{leader, "abdicate", `"abdicate"`},
		{heir, "resign", "not leading"},
	} {
		test.p.Send(test.command)
		if l := test.p.wait("error"); !strings.Contains(l.Error, test.want) {
			t.Errorf("after %q the error is %q; want it to hold %q", test.command, l.Error, test.want)
		}
	}
}

func TestAnObserverTellsWhoLeads(t *testing.T) {
	alice := start(t, "alice")
	token := alice.wait("elected").Token
	observer := start(t, "observer", "-observe")
	observer.wait("session")
	if l := observer.wait("leader"); l.Leader != "alice" || l.LeaderToken != token || l.ID != "observer" {
		t.Errorf("leader: %+v", l)
	}
	follower := start(t, "follower", "-follow")
	follower.wait("heir")
	alice.Send("quit")
	bob := follower.wait("elected").Token
	observer.waitFor("leader", func(l lines.Line) bool { return l.Leader == "follower" && l.LeaderToken == bob })
	// Its "leader" lines keep their order among themselves, not with those of its own life.
	follower.next = 0
	follower.waitFor("leader", func(l lines.Line) bool { return l.Leader == "alice" && l.LeaderToken == token })
	follower.waitFor("leader", func(l lines.Line) bool { return l.Leader == "follower" && l.LeaderToken == bob })
	follower.Send("quit")
	observer.waitFor("leader", func(l lines.Line) bool { return l.Leader == "" && l.LeaderToken == 0 })
	if s := observer.Lines(); strings.Contains(strings.Join(s, ""), `"joined"`) {
		t.Error("an observer has joined the line")
	}
	observer.Signal(syscall.SIGTERM)
	observer.leaves()
}

func TestCredentialsKeepOthersOut(t *testing.T) {
	p := start(t, "alice", "-auth", "digest:alice:secret", "-data", "10.0.0.7")
	node := p.wait("joined").Node
	if _, _, err := connect(t).Get(t.Context(), node); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a stranger reads the znode: err = %v; want %v", err, zk.ErrNoAuth)
	}
	data, _, err := connect(t, session.Digest("alice", "secret")).Get(t.Context(), node)
	if string(data) != "alice\n10.0.0.7" || err != nil {
		t.Errorf("the znode holds %q, %v", data, err)
	}
	stranger := start(t, "mallory")
	if l := stranger.wait("error"); !strings.Contains(l.Error, pathOf(t)) {
		t.Errorf("error: %+v", l)
	}
	if code, _ := stranger.Exit(time.Minute); code != 1 {
		t.Errorf("a candidate that is refused exits with %d; want 1", code)
	}
}

func TestAUserOfTheServersLeads(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: time.Second, Users: map[string]string{"alice": "secret"}})
	p := start(t, "alice", "-zk", e.ConnectString(), "-sasl", "digest:alice:secret")
	node := p.wait("joined").Node
	p.wait("elected")
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	stranger, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := stranger.Get(t.Context(), node); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("a stranger reads the znode: err = %v; want %v", err, zk.ErrNoAuth)
	}
	wrong := start(t, "mallory", "-zk", e.ConnectString(), "-sasl", "digest:alice:guess")
	if l := wrong.wait("error"); strings.Contains(l.Error, "guess") {
		t.Errorf("the password is told: %s", l.Error)
	}
	if code, _ := wrong.Exit(time.Minute); code != 1 {
		t.Errorf("a candidate that is refused exits with %d; want 1", code)
	}
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for _, test := range []struct {
		args string
		want []string // in the error
	}{
		{"-timeout 5", []string{`"5"`, "-timeout"}},
		{"-timeout 1ms", []string{"Timeout", "1ms", "want"}},
		{"-timeout -1s", []string{"Timeout", "-1s", "want"}},
		{"-lease 1ms", []string{"Lease", "1ms", "want"}},
		{"-timeout 2s -lease 2s", []string{"Lease", "2s", "1s", "want"}},
		{"-drain -1s", []string{"DrainTimeout", "-1s", "want"}},
		{"-beat 0s", []string{"-beat", "0s", "want"}},
		{"-beat 2h", []string{"-beat", "2h", "want"}},
		{"-style queue", []string{`"queue"`, "want"}},
		{"-path billing", []string{`"billing"`}},
		{"-path /", []string{`"/"`, "want"}},
		{"-zk a:b:c", []string{`"a:b:c"`, "want"}},
		{"-id " + strings.Repeat("x", 257), []string{"257", "want"}},
		{"-auth kerberos:me:secret", []string{"-auth", `"kerberos"`, "want"}},
		{"-auth digest:me", []string{"-auth", `"me"`, "want"}},
		{"-observe -path rel", []string{`"rel"`}},
		{"-nonsense", []string{"-nonsense"}},
		{"stray", []string{`"stray"`, "want"}},
	} {
		t.Run(test.args[:min(30, len(test.args))], func(t *testing.T) {
			p := proc.Start(t, exe, strings.Fields(test.args)...)
			code, stderr := p.Exit(time.Minute)
			if code != 2 || len(p.Lines()) != 0 {
				t.Errorf("exit code %d after %q; want 2 after nothing", code, p.Lines())
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("the error is %q; want it to hold %q", stderr, want)
				}
			}
			if strings.Contains(stderr, "secret") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("the error is %q; want one line without the password", stderr)
			}
		})
	}
}
