package theirs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// curatorClasses are the tests of Curator's recipes that ask a TestingServer for their server. It
// is a class of ours here, which asks this process. Left out are those that build servers of their
// own inside their JVM (TestingCluster, ChaosMonkeyCnxnFactory).
var curatorClasses = []string{
	"leader.TestLeaderLatch", "leader.TestLeaderAcls",
	"leader.TestLeaderSelector", "leader.TestLeaderSelectorParticipants", "leader.TestLeaderSelectorWithExecutor",
	"locks.TestInterProcessMutex", "locks.TestInterProcessMultiMutex", "locks.TestInterProcessReadWriteLock", "locks.TestLockACLs",
	"locks.TestInterProcessSemaphore", "locks.TestInterProcessSemaphoreMutex",
	"atomic.TestDistributedAtomicLong", "atomic.TestCachedAtomicCounter", "shared.TestSharedCount",
	"barriers.TestDistributedBarrier", "barriers.TestDistributedDoubleBarrier",
	"nodes.TestPersistentNode", "nodes.TestPersistentTtlNode", "nodes.TestPersistentEphemeralNode", "nodes.TestPersistentEphemeralNodeListener", "nodes.TestGroupMember",
	"cache.TestCuratorCache", "cache.TestCuratorCacheBridge", "cache.TestCuratorCacheWrappers", "cache.TestNodeCache", "cache.TestWrappedNodeCache",
	"cache.TestPathChildrenCache", "cache.TestTreeCache", "cache.TestTreeCacheIteratorAndSize", "cache.TestTreeCacheRandomTree",
	"cache.TestCuratorCacheEventOrdering", "cache.TestPathChildrenCacheEventOrdering", "cache.TestTreeCacheEventOrdering",
	"queue.TestDistributedQueue", "queue.TestBoundedDistributedQueue", "queue.TestDistributedDelayQueue", "queue.TestDistributedIdQueue",
	"queue.TestDistributedPriorityQueue", "queue.TestQueueSharder", "queue.TestSimpleDistributedQueue",
	"watch.TestPersistentWatcher",
}

// notAsCurator are the tests of Curator that fail here, and why.
var notAsCurator = map[string]string{
	"TestLeaderLatch.testGetChildrenHitsNoNode": "a server at a port that had one before has its data still",
}

// TestThoseOfCurator tells which others fail, and demands only that most pass: many of them measure
// times of seconds. With -real it runs them on real servers, which shows whether they fail there,
// too.
func TestThoseOfCurator(t *testing.T) {
	asked(t)
	javac := need.Program(t, "javac", "default-jdk-headless")
	java := need.Program(t, "java", "default-jdk-headless")
	var jars []string
	need.That(t, func() (err error) {
		jars, err = peers.CuratorTests(t.Context())
		return err
	})
	dir, classpath := t.TempDir(), strings.Join(jars, ":")
	output(t, exec.Command(javac, "-cp", classpath, "-d", dir, filepath.Join("testdata", "TestingServer.java")))
	run := []string{java, "-Dcontrol=" + controlled(t), "-Djunit.jupiter.execution.timeout.default=3m", "-XX:TieredStopAtLevel=1", "-Xmx256m",
		"-cp", dir + ":" + classpath, "org.junit.platform.console.ConsoleLauncher", "--disable-banner", "--details=tree", "--disable-ansi-colors"}
	all := report{failed: map[string]string{}}
	var mu sync.Mutex // guards all
	t.Run("classes", func(t *testing.T) {
		for _, class := range curatorClasses {
			t.Run(class, func(t *testing.T) {
				t.Parallel()
				r := runCurator(t, run, class)
				mu.Lock()
				defer mu.Unlock()
				all.add(r)
			})
		}
	})
	tell(t, all, notAsCurator, 240)
}

// runCurator runs the tests of one class in a JVM of its own.
func runCurator(t *testing.T, run []string, class string) report {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, run[0], append(run[1:len(run):len(run)], "--reports-dir", dir,
		"--select-class", "org.apache.curator.framework.recipes."+class)...)
	cmd.Dir, cmd.Env = dir, os.Environ()
	said, err := cmd.CombinedOutput() // an error, too, if some fail
	r := readReport(t, filepath.Join(dir, "TEST-junit-jupiter.xml"))
	if r.passed+len(r.failed) == 0 {
		t.Errorf("%v\n%s", err, said)
	}
	return r
}

// add adds what another run has shown.
func (r *report) add(other report) {
	r.passed += other.passed
	r.skipped += other.skipped
	for name, said := range other.failed {
		r.failed[name] = said
	}
}
