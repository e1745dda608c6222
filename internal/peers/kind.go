package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Kind is an implementation of leader election.
type Kind string

const (
	// LeaderLatch is Curator's: it leads until it is closed or loses the connection.
	LeaderLatch Kind = "LeaderLatch"
	// LeaderSelector is Curator's: it leads until its takeLeadership returns, and requeues.
	LeaderSelector Kind = "LeaderSelector"
	// Kazoo is kazoo's Election as it comes.
	Kazoo Kind = "KazooElection"
	// KazooPatterns is kazoo's Election on a lock with extra_lock_patterns latch- and lock-.
	KazooPatterns Kind = "KazooPatterns"
	// ZkLock is Lock of github.com/go-zookeeper/zk: who holds it leads.
	ZkLock Kind = "zk.Lock"

	// OursLatch is a candidate of this library, examples/candidate, with StyleLatch.
	OursLatch Kind = "ours latch"
	// OursLock is one with StyleLock.
	OursLock Kind = "ours lock"
	// OursKazoo is one with StyleKazoo.
	OursKazoo Kind = "ours kazoo"
)

// ErrUnavailable says that this machine cannot run a kind of candidate.
var ErrUnavailable = errors.New("peer not available on this machine")

// jars are what a Curator client needs beside what the manifests of these name.
var jars = []string{
	"curator-recipes", "curator-framework", "curator-client", "zookeeper", "zookeeper-jute", "guava",
	"slf4j-api", "slf4j-nop", "metrics-core", "snappy-java", "netty-handler", "netty-transport",
	"netty-buffer", "netty-common", "netty-codec", "netty-resolver", "netty-transport-native-unix-common",
}

const (
	debianJars = "/usr/share/java"
	// python is Debian's: it alone sees Debian's kazoo.
	python = "/usr/bin/python3"
)

// sources is the directory of this package, with the hosts' sources in it.
var sources = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}()

// Sources returns the directory of this package, in whose module programs are built.
func Sources() string { return sources }

func (k Kind) java() bool   { return k == LeaderLatch || k == LeaderSelector }
func (k Kind) python() bool { return k == Kazoo || k == KazooPatterns }

// style returns the flag -style of examples/candidate; not ok for a peer.
func (k Kind) style() (style string, ok bool) { return strings.CutPrefix(string(k), "ours ") }

// Ours reports whether it is a candidate of this library.
func (k Kind) Ours() bool { _, ok := k.style(); return ok }

// Available returns nil if this machine can run a kind, or an error that wraps
// ErrUnavailable and says what is missing.
func Available(ctx context.Context, k Kind) error {
	switch {
	case k.java():
		for _, program := range []string{"java", "javac"} {
			if _, err := exec.LookPath(program); err != nil {
				return fmt.Errorf("%w: no %s in PATH (Debian: default-jdk-headless)", ErrUnavailable, program)
			}
		}
		for _, jar := range jars {
			if _, err := os.Stat(filepath.Join(debianJars, jar+".jar")); err != nil {
				return fmt.Errorf("%w: no %s.jar (Debian: libcurator-recipes-java)", ErrUnavailable, jar)
			}
		}
	case k.python():
		if err := exec.CommandContext(ctx, python, "-c", "import kazoo").Run(); err != nil {
			return fmt.Errorf("%w: %s has no kazoo (Debian: python3-kazoo)", ErrUnavailable, python)
		}
	}
	return nil
}

func classpath(dir string) string {
	all := []string{dir}
	for _, jar := range jars {
		all = append(all, filepath.Join(debianJars, jar+".jar"))
	}
	return strings.Join(all, string(os.PathListSeparator))
}
