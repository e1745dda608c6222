package ensemble

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/need"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := CloseShared(); err != nil {
		code = max(code, 1)
	}
	os.Exit(code)
}

// within returns a context that ends long after a healthy ensemble has answered.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestThreeServersFormAQuorumWithOneLeader(t *testing.T) {
	e := Shared(t, Config{})
	ctx := within(t)
	var modes map[string]int
	await.Until(t, "one leader and two followers", func() bool { // on a busy machine they may choose another leader meanwhile
		modes = map[string]int{}
		for _, s := range e.Servers() {
			mode, _ := s.Mode(ctx)
			modes[mode]++
		}
		return len(modes) == 2 && modes["leader"] == 1 && modes["follower"] == 2
	}, func() any { return modes })
	if got := strings.Join(e.Addrs(), ","); got != e.ConnectString() {
		t.Errorf("ConnectString %q, want %q", e.ConnectString(), got)
	}
}

func TestServersGrantTheConfiguredSessionTimeouts(t *testing.T) {
	e := Shared(t, Config{})
	if e.External() {
		t.Skip("the configuration is not ours")
	}
	conf, err := e.Servers()[0].Command(within(t), "conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tickTime=500", "minSessionTimeout=1000", "maxSessionTimeout=10000", "syncLimit=10"} {
		if !strings.Contains(conf, want) {
			t.Errorf("conf lacks %q:\n%s", want, conf)
		}
	}
}

func TestKilledFollowerIsGoneUntilRestarted(t *testing.T) {
	e := Shared(t, Config{})
	skipExternal(t, e)
	ctx := within(t)
	follower, err := e.Follower(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Kill(); err != nil {
		t.Fatal(err)
	}
	if follower.Running() {
		t.Error("a killed server still runs")
	}
	if conn, err := net.Dial("tcp", follower.Addr()); err == nil {
		conn.Close()
		t.Error("a killed server still accepts connections")
	}
	if err := follower.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var mode string
	await.Until(t, "follower again", func() bool { mode, err = follower.Mode(ctx); return mode == "follower" },
		func() any { return mode }, func() any { return err })
}

func TestFrozenServerAnswersOnlyAfterThaw(t *testing.T) {
	e := Shared(t, Config{})
	skipExternal(t, e)
	ctx := within(t)
	follower, err := e.Follower(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Freeze(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if answer, err := follower.Command(short, "srvr"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("frozen server answered %q, %v", answer, err)
	}
	if err := follower.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := follower.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestKilledLeaderIsSucceeded(t *testing.T) {
	e := Shared(t, Config{})
	skipExternal(t, e)
	ctx := within(t)
	old, err := e.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Kill(); err != nil {
		t.Fatal(err)
	}
	successor, err := e.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if successor == old {
		t.Fatal("the killed server is said to lead")
	}
}

func TestSharedHealsWhatTheLastTestBroke(t *testing.T) {
	e := Shared(t, Config{})
	skipExternal(t, e)
	servers := e.Servers()
	if err := errors.Join(servers[0].Kill(), servers[1].Freeze()); err != nil {
		t.Fatal(err)
	}
	if again := Shared(t, Config{}); again != e {
		t.Fatal("the same Config gave another ensemble")
	}
	for _, s := range servers {
		if err := s.WaitServing(within(t)); err != nil { // it may look for another leader once more
			t.Error(err)
		}
	}
}

func TestSingleServerIsStandalone(t *testing.T) {
	e := ForTest(t, Config{Servers: 1, Properties: map[string]string{"maxClientCnxns": "7"}})
	skipExternal(t, e)
	ctx := within(t)
	leader, err := e.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if mode, _ := leader.Mode(ctx); mode != "standalone" {
		t.Errorf("mode %q, want standalone", mode)
	}
	if conf, _ := leader.Command(ctx, "conf"); !strings.Contains(conf, "maxClientCnxns=7") {
		t.Errorf("the property did not win:\n%s", conf)
	}
	dir := leader.dir
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left the directory behind: %v", err)
	}
	if leader.Running() {
		t.Error("Close left the server running")
	}
}

// needsOwn ends a test that starts servers by itself where it cannot.
func needsOwn(t *testing.T) {
	t.Helper()
	need.That(t, Available)
	if os.Getenv("ZK_SERVERS") != "" {
		t.Skip("SKIP: the servers are somebody else's")
	}
}

func TestServerThatCannotStartShowsItsLog(t *testing.T) {
	needsOwn(t)
	_, err := Start(within(t), Config{Servers: 1, Properties: map[string]string{"tickTime": "nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Fatalf("error %v, want the server's own complaint", err)
	}
}

func skipExternal(t *testing.T, e *Ensemble) {
	t.Helper()
	if e.External() {
		t.Skip("the servers are not ours to control")
	}
}
