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
	// ZkLock is Lock of github.com/go-zookeeper/zk: its holder leads.
	ZkLock Kind = "zk.Lock"

	// Those of the newest releases, which Maven and pip fetch; those above are Debian's.

	// LeaderLatchNew is LeaderLatch of Curator 5.9.0.
	LeaderLatchNew Kind = LeaderLatch + "@" + curatorRelease
	// LeaderSelectorNew is LeaderSelector of Curator 5.9.0.
	LeaderSelectorNew Kind = LeaderSelector + "@" + curatorRelease
	// KazooNew is Election of kazoo 2.11.0.
	KazooNew Kind = Kazoo + "@" + kazooRelease
	// KazooPatternsNew is the same with the patterns.
	KazooPatternsNew Kind = KazooPatterns + "@" + kazooRelease

	// Etcd is Election of etcd's package concurrency, on servers of etcd: Hosts.StartEtcd.
	Etcd Kind = "etcd"
	// ClientGo is leaderelection of client-go, on etcd with no API server between.
	ClientGo Kind = "client-go"

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

// recipe returns the kind without its release, as the hosts know it, and whether it is a release
// that is fetched.
func (k Kind) recipe() (Kind, bool) {
	recipe, _, fetched := strings.Cut(string(k), "@")
	return Kind(recipe), fetched
}

func (k Kind) java() bool {
	r, _ := k.recipe()
	return r == LeaderLatch || r == LeaderSelector
}

func (k Kind) python() bool {
	r, _ := k.recipe()
	return r == Kazoo || r == KazooPatterns
}

// style returns the flag -style of examples/candidate; not ok for a peer.
func (k Kind) style() (style string, ok bool) { return strings.CutPrefix(string(k), "ours ") }

// OnEtcd reports whether its ensemble is one of etcd's servers.
func (k Kind) OnEtcd() bool { return k == Etcd || k == ClientGo }

// Ours reports whether it is a candidate of this library.
func (k Kind) Ours() bool { _, ok := k.style(); return ok }

// Available returns nil if this machine can run a kind, or an error that wraps ErrUnavailable and
// says what is missing.
func Available(ctx context.Context, k Kind) error {
	_, fetched := k.recipe()
	switch {
	case k.java():
		for _, program := range []string{"java", "javac"} {
			if _, err := exec.LookPath(program); err != nil {
				return fmt.Errorf("%w: no %s in PATH (Debian: default-jdk-headless)", ErrUnavailable, program)
			}
		}
		_, err := k.jars(ctx)
		return err
	case k.python() && fetched:
		_, err := KazooPath(ctx)
		return err
	case k.python():
		if err := exec.CommandContext(ctx, python, "-c", "import kazoo").Run(); err != nil {
			return fmt.Errorf("%w: %s has no kazoo (Debian: python3-kazoo)", ErrUnavailable, python)
		}
	}
	return nil
}

// jars returns the class path of a kind of Curator.
func (k Kind) jars(ctx context.Context) (all []string, err error) {
	if _, fetched := k.recipe(); fetched {
		return CuratorJars(ctx)
	}
	for _, jar := range jars {
		name := filepath.Join(debianJars, jar+".jar")
		if _, err := os.Stat(name); err != nil {
			return nil, fmt.Errorf("%w: no %s.jar (Debian: libcurator-recipes-java)", ErrUnavailable, jar)
		}
		all = append(all, name)
	}
	return all, nil
}
