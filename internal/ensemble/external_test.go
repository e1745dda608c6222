package ensemble

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
)

// startWord serves one four-letter word, srvr, in a given mode.
func startWord(t *testing.T, mode string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, 4))
			fmt.Fprintf(c, "Zookeeper version: 3\nMode: %s\nNode count: 5\n", mode)
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestExternalServersAreAskedButNotControlled(t *testing.T) {
	follower, leader := startWord(t, "follower"), startWord(t, "leader")
	connect := follower + "," + leader + "/chroot"
	t.Setenv("ZK_SERVERS", connect)
	e := ForTest(t, Config{})
	if !e.External() || e.ConnectString() != connect || strings.Join(e.Addrs(), " ") != follower+" "+leader {
		t.Fatalf("external %v, connect string %q, addresses %q", e.External(), e.ConnectString(), e.Addrs())
	}
	ctx := within(t)
	if s, err := e.Leader(ctx); err != nil || s.Addr() != leader {
		t.Errorf("leader %v, %v", s, err)
	}
	if s, err := e.Follower(ctx); err != nil || s.Addr() != follower {
		t.Errorf("follower %v, %v", s, err)
	}
	s := e.Servers()[0]
	for verb, err := range map[string]error{
		"Kill": s.Kill(), "Start": s.Start(ctx), "Restart": s.Restart(ctx), "Freeze": s.Freeze(), "Thaw": s.Thaw(),
	} {
		if !errors.Is(err, ErrExternal) {
			t.Errorf("%s: %v, want ErrExternal", verb, err)
		}
	}
	if err := errors.Join(e.Heal(ctx), e.Close()); err != nil {
		t.Error(err)
	}
}

func TestCommonServersAreThoseOfTheEnvironment(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: with -short no servers are used")
	}
	t.Setenv(CommonServers, "127.0.0.1:1,127.0.0.1:2")
	if e := Common(t); !e.External() || e.ConnectString() != "127.0.0.1:1,127.0.0.1:2" || len(e.Servers()) != 2 {
		t.Errorf("external %v, %q", e.External(), e.ConnectString())
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	t.Setenv("ZK_SERVERS", "")
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	if err := Available(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no java") {
		t.Errorf("Available: %v", err)
	}
}

func TestZooKeeperHomeComesBeforeThePackage(t *testing.T) {
	needsOwn(t)
	jars, err := findJars("")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	t.Setenv("ZOOKEEPER_VERSION", "")
	t.Setenv("ZOOKEEPER_HOME", home)
	if err := Available(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an empty ZOOKEEPER_HOME is available: %v", err)
	}
	if err := os.Mkdir(filepath.Join(home, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, jar := range jars {
		if err := os.Symlink(jar, filepath.Join(home, "lib", filepath.Base(jar))); err != nil {
			t.Fatal(err)
		}
	}
	e := ForTest(t, Config{Servers: 1})
	if !strings.Contains(strings.Join(e.Servers()[0].argv, " "), home) {
		t.Error("the servers do not run from ZOOKEEPER_HOME")
	}
}

func TestAReleaseIsRunByItsNumber(t *testing.T) {
	e := ForTest(t, Config{Servers: 1, Version: release.Newest})
	answer, err := e.Servers()[0].Command(t.Context(), "srvr")
	if err != nil || !strings.HasPrefix(answer, "Zookeeper version: "+release.Newest+"-") {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestTheNumberOfAReleaseComesFromTheEnvironmentToo(t *testing.T) {
	t.Setenv("ZK_SERVERS", "")
	t.Setenv("ZOOKEEPER_VERSION", "3.0.99")
	if err := Available(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, release.ErrUnavailable) {
		t.Errorf("Available: %v", err)
	}
	t.Setenv("ZK_SERVERS", "localhost:2181")
	if err := Has(release.Newest); !errors.Is(err, ErrUnavailable) {
		t.Errorf("somebody else's servers are said to be of a release: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{{Servers: -1}, {Servers: 100}, {Tick: 1}, {SyncLimit: -1}, {Servers: 3, Observers: 2}, {Observers: -1}} {
		if e, err := Start(t.Context(), cfg); err == nil {
			e.Close()
			t.Errorf("%+v: no error", cfg)
		}
	}
}
