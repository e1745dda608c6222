package zookeeper

import (
	"context"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

func open(t *testing.T, args ...string) *Ensemble {
	t.Helper()
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	connect := Flag(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	e, err := Open(*connect, 700*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestWithoutTheFlagItGrantsTheTimeoutAskedFor(t *testing.T) {
	e := open(t)
	client, err := session.Open(e.Connect, session.Config{Timeout: 700 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Timeout(); got != 700*time.Millisecond {
		t.Errorf("the session timeout is %v; want that asked for", got)
	}
	if got := len(e.Embedded().Servers()); got != 3 {
		t.Errorf("%d servers; want 3, of which one may fail", got)
	}
}

func TestTheFlagNamesAnEnsemble(t *testing.T) {
	e := open(t, "-zk", "zk1:2181,zk2:2181/app")
	if e.Connect != "zk1:2181,zk2:2181/app" || e.Name != e.Connect || e.Embedded() != nil {
		t.Errorf("got %+v; want that of the flag alone", e)
	}
}

func TestReachSaysWhichServerDoesNotAnswer(t *testing.T) {
	if err := open(t).Reach(t.Context()); err != nil {
		t.Errorf("embedded: %v", err)
	}
	nobody := open(t, "-zk", "127.0.0.1:1")
	if err := nobody.Reach(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("the error is %v; want one that names the server", err)
	}
}
