package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestBadConfigurationIsRefusedAndNamed(t *testing.T) {
	for _, c := range []struct {
		connect string
		cfg     session.Config
		want    string
	}{
		{"", session.Config{}, "a server is empty"},
		{"zk1:x", session.Config{}, `bad port "x"`},
		{"zk1:2181", session.Config{Timeout: -time.Second}, "Timeout is -1s; want 400ms to 1h0m0s"},
		{"zk1:2181", session.Config{Timeout: time.Millisecond}, "Timeout is 1ms"},
		{"zk1:2181", session.Config{Timeout: 30 * 24 * time.Hour}, "Timeout is 720h0m0s"},
		{"zk1:2181", session.Config{Timeout: 300 * time.Millisecond}, "Timeout is 300ms"},
		{"zk1:2181", session.Config{Lease: -time.Second}, "Lease is -1s; want 200ms to 7.5s"},
		{"zk1:2181", session.Config{Lease: 199 * time.Millisecond}, "Lease is 199ms"},
		{"zk1:2181", session.Config{Timeout: time.Second, Lease: 501 * time.Millisecond}, "want 200ms to 500ms, half of the session timeout, or 0 for 500ms"},
		{"zk1:2181", session.Config{Beats: "beats"}, "Config.Beats"},
		{"zk1:2181", session.Config{Beats: "/"}, `Config.Beats: path is "/"; want one below it, or "" for "/zkrecipe/beats"`},
		{"zk1:2181/app", session.Config{Beats: "/"}, `Config.Beats: path is "/"`},
		{"zk1:2181", session.Config{Beats: "/zookeeper"}, `Config.Beats: path is "/zookeeper", where the servers keep their own znodes; want another, or "" for "/zkrecipe/beats"`},
		{"zk1:2181", session.Config{Beats: "/zookeeper/beats"}, `Config.Beats: path is "/zookeeper/beats"`},
		{"zk1:2181", session.Config{EphemeralBytes: -1}, "Config.EphemeralBytes is -1; want at least 103, for a heartbeat and a place, or 0 for 1048576"},
		{"zk1:2181/app", session.Config{EphemeralBytes: 110}, "Config.EphemeralBytes is 110; want at least 111"},
		{"zk1:2181", session.Config{Beats: "/beats/"}, "Config.Beats"},
		{"zk1:2181", session.Config{Auth: []session.Auth{{Credential: "u:p"}}}, "Auth[0] has no scheme"},
		{"zk1:2181", session.Config{ACL: []zk.ACL{{}}}, "ACL[0]"},
		{"zk1:2181", session.Config{ACL: []zk.ACL{{Perms: 99, Scheme: "world", ID: "anyone"}}}, "want permissions 1 to 31"},
	} {
		_, err := session.Open(c.connect, c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%q, %+v): %v; want %q", c.connect, c.cfg, err, c.want)
		}
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	cfg := session.Config{Auth: []session.Auth{session.Digest("u", "secret")}}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprint(cfg.Auth[0])} {
		if strings.Contains(text, "secret") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestWithoutAServerTheErrorTellsWhatIsWrongWithEach(t *testing.T) {
	client, err := session.Open("127.0.0.1:1,127.0.0.1:2", session.Config{Timeout: time.Second})
	must(t, err)
	defer client.Close()
	for guard := within(t, hang); ; { // until both have been tried
		_, err = client.Session(within(t, 100*time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v", err)
		}
		if strings.Count(err.Error(), "connection refused") == 2 {
			return
		}
		if guard.Err() != nil {
			t.Fatalf("err = %v", err)
		}
	}
}

// refusal and doubt are errors of a recipe.
type (
	refusal struct{}
	doubt   struct{ error }
)

func (refusal) Error() string            { return "refused" }
func (refusal) Outcome() session.Outcome { return session.OutcomeNotDone }
func (doubt) Outcome() session.Outcome   { return session.OutcomeUnknown }
func (d doubt) Unwrap() error            { return d.error }

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want session.Outcome
	}{
		{nil, session.OutcomeDone},
		{zk.ErrNoNode, session.OutcomeNotDone},
		{fmt.Errorf("wrapped: %w", zk.ErrNoAuth), session.OutcomeNotDone},
		{&session.Error{Outcome: session.OutcomeNotDone, Err: zk.ErrConnectionClosed}, session.OutcomeNotDone},
		{zk.ErrConnectionClosed, session.OutcomeUnknown},
		{zk.ErrClosing, session.OutcomeUnknown},
		{zk.ErrNoServer, session.OutcomeNotDone},
		{errors.New("write tcp: broken pipe"), session.OutcomeUnknown},
		{session.ServerError(-125), session.OutcomeNotDone},
		{fmt.Errorf("wrapped: %w", refusal{}), session.OutcomeNotDone},
		{errors.Join(errors.New("more"), refusal{}), session.OutcomeNotDone},
		{&session.Error{Outcome: session.OutcomeUnknown, Err: refusal{}}, session.OutcomeUnknown}, // the cause of a context
		{fmt.Errorf("%w: %w", doubt{zk.ErrNoNode}, refusal{}), session.OutcomeUnknown},
	} {
		if got := session.OutcomeOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
	if text := session.ServerError(-125).Error(); !strings.Contains(text, "quota") {
		t.Errorf("code -125 reads %q", text)
	}
}
