//go:build linux

package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// asked reports whether this run is about containers: it takes minutes, so it has a target of its
// own.
func asked() bool { return os.Getenv("ZKRECIPE_COMPOSE") != "" }

// hindrance is why there is no engine, if one of our own could not be prepared.
var hindrance error

func TestMain(m *testing.M) {
	if ctx := context.Background(); asked() && !isolated() && !answers(ctx) {
		if hindrance = errors.Join(lacks(), obtain(ctx)); hindrance == nil {
			hindrance = isolate() // returns only if it fails
		}
	}
	os.Exit(m.Run())
}

// open returns the project, with an engine that was here or that is ours until the test ends.
func open(t *testing.T) *project {
	if !asked() {
		t.Skip(`SKIP: docker-compose.yml is run by "make compose"`)
	}
	ctx := t.Context()
	e := &engine{}
	need.That(t, func() (err error) {
		if err = hindrance; isolated() {
			e, err = start(ctx)
		}
		return err
	})
	clean := context.WithoutCancel(ctx) // the test's own is over when it is cleaned up
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	p, err := newProject(ctx, e)
	if err == nil {
		err = p.prepare(ctx)
	}
	if err == nil {
		err = p.down(ctx) // what a run that was killed has left
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.down(clean); err != nil {
			t.Error(err)
		}
	})
	return p
}

var (
	servers   = []string{"zoo1", "zoo2", "zoo3"}
	published = []string{"127.0.0.1:2181", "127.0.0.1:2182", "127.0.0.1:2183"}
)

// startFor is how long services may take until they are healthy: generous, because a busy machine
// is no bug.
const startFor = 3 * time.Minute

// up is "up --detach --wait", the latter by hand: the older docker-compose has no such flag.
func (p *project) up(t *testing.T) {
	t.Helper()
	_, err := p.compose(t.Context(), "up", "--detach")
	if err == nil {
		err = p.healthy(t.Context(), startFor, servers...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tells returns what a line of a server's answer to srvr says after a prefix.
func tells(address, prefix string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "srvr")
	all, err := io.ReadAll(conn)
	answer := string(all)
	for line := range strings.Lines(answer) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", errors.Join(err, fmt.Errorf("%s says %q; want %q in it", address, answer, prefix))
}

// exists reports whether the ensemble has a znode.
func exists(t *testing.T, path string) bool {
	t.Helper()
	conn, _, err := zk.Connect(published, 5*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	there, _, err := conn.Exists(path)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func TestTheComposeFileAtWork(t *testing.T) {
	p := open(t)
	// Each step stands on those before it.
	for _, step := range []struct {
		name string
		run  func(*testing.T, *project)
	}{
		{"three servers of the version in the file, one of them leads", servers3},
		{"the leader example", leaderExample},
		{"data outlives the containers", volumes},
		{"candidates change places as their containers are broken", moves},
	} {
		began := time.Now()
		if !t.Run(step.name, func(t *testing.T) { step.run(t, p) }) {
			t.FailNow()
		}
		t.Logf("%s: %v", step.name, time.Since(began).Round(time.Second))
	}
}

func servers3(t *testing.T, p *project) {
	p.up(t)
	all, err := images()
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int{}
	for i, address := range published {
		mode, err := tells(address, "Mode: ")
		if err != nil {
			t.Fatal(err)
		}
		modes[mode]++
		version, err := tells(address, "Zookeeper version: ")
		if number, _, _ := strings.Cut(version, "-"); err != nil || !strings.Contains(strings.Join(all, " ")+" ", "zookeeper:"+number+" ") {
			t.Errorf("%s: version %q, %v; want that of %v", servers[i], version, err, all)
		}
	}
	if modes["leader"] != 1 || modes["follower"] != 2 {
		t.Errorf("modes %v; want a leader and two followers", modes)
	}
}

func leaderExample(t *testing.T, p *project) {
	out, err := p.run(t.Context(), "go", "run", "./examples/leader", "-zk", strings.Join(published, ","), "-for", "12s")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
}

func volumes(t *testing.T, p *project) {
	const left = "/zkrecipe/leader" // by the example
	if !exists(t, left) {
		t.Fatalf("no %s", left)
	}
	if _, err := p.compose(t.Context(), "down"); err != nil {
		t.Fatal(err)
	}
	p.up(t)
	if !exists(t, left) {
		t.Errorf("%s did not outlive the containers", left)
	}
}
