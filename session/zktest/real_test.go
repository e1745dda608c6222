package zktest_test

import (
	"cmp"
	"context"
	"flag"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var record = flag.Bool("record", false, "write the real servers' traces to testdata")

// TestRealServersBehaveAsRecorded runs the program on real servers: those of the releases that
// zktest imitates, or of the release that ZOOKEEPER_VERSION names. With -record it writes what they
// do. For a release that is not imitated, it writes what differs from the nearest one that is.
func TestRealServersBehaveAsRecorded(t *testing.T) {
	if !*record && os.Getenv("ZKRECIPE_REQUIRE_REAL") == "" {
		t.Skip("needs -record, or ZKRECIPE_REQUIRE_REAL=1 to compare")
	}
	list := []string{string(zktest.Release3510), "", string(zktest.Release395)} // Debian's, unless something else is set up, is 3.8.0
	if v := os.Getenv("ZOOKEEPER_VERSION"); v != "" {
		list = []string{v}
	}
	for _, version := range list {
		for _, servers := range []int{1, 3} {
			release := zktest.Release(cmp.Or(version, string(zktest.Release380)))
			if !recordable(release, servers) {
				continue
			}
			// How far each server is when a request comes depends on the machine. What was recorded
			// must be among the things that the servers do.
			var differ []string
			for range 3 {
				e := ensemble.ForTest(t, ensemble.Config{Servers: servers, Tick: tick, Version: version})
				differ = asRecorded(t, release, servers, observe(t, servers, dialReal(t, e, servers)))
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				if len(differ) == 0 {
					break
				}
				t.Logf("%s with %d servers differs this time:\n%s", release, servers, strings.Join(differ, "\n"))
			}
			if len(differ) > 0 {
				t.Errorf("%s with %d servers has differed three times", release, servers)
			}
		}
	}
}

// TestZnodesWithATimeToLiveAreThoseOfRealServers compares at once: the servers need a setting for
// it.
func TestZnodesWithATimeToLiveAreThoseOfRealServers(t *testing.T) {
	for release, version := range map[zktest.Release]string{zktest.Release380: "", zktest.Release395: string(zktest.Release395)} {
		t.Run(string(release), func(t *testing.T) {
			for range 3 { // on a busy machine a znode may be deleted, or looked for, too late
				e := ensemble.ForTest(t, ensemble.Config{Servers: 1, Tick: tick, Version: version,
					JVM: []string{"-Dzookeeper.extendedTypesEnabled=true", "-Dznode.container.checkIntervalMs=500"}})
				ours := zktest.Start(t, zktest.Config{Release: release, Tick: tick, ExtendedTypes: true, ContainerCheck: 500 * time.Millisecond})
				want := (&trace{t: t, dial: dialReal(t, e, 1), sessions: map[int64]string{}}).of(runTTL)
				got := (&trace{t: t, dial: dialOurs(ours), sessions: map[int64]string{}}).of(runTTL)
				differ := differences(want, got)
				if len(differ) == 0 {
					return
				}
				t.Logf("this time they differ:\n%s", strings.Join(differ, "\n"))
			}
			t.Error("they have differed three times")
		})
	}
}

// asRecorded writes what the servers of a release did, or returns how it differs from what they did
// before.
func asRecorded(t *testing.T, release zktest.Release, servers int, got []string) []string {
	path := traceFile(release, servers)
	if !slices.Contains(releases, release) {
		near := zktest.Release380
		if strings.HasPrefix(string(release), "3.9.") {
			near = zktest.Release395
		}
		got = differences(recorded(t, near, servers), got)
		path = strings.TrimSuffix(path, ".trace") + ".diff"
	}
	if *record {
		if err := os.WriteFile(path, []byte(strings.Join(append(got, ""), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return nil
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return differences(strings.Split(string(want), "\n"), append(got, ""))
}

// differences lists the lines that only one of two traces has: "-" before those of a, "+" before
// those of b.
func differences(a, b []string) (list []string) {
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			list = append(list, "-"+a[i])
			i++
		default:
			list = append(list, "+"+b[j])
			j++
		}
	}
	return list
}

func TestDifferencesAreFound(t *testing.T) {
	got := differences(strings.Split("a b c d", " "), strings.Split("a c x d y", " "))
	if want := []string{"-b", "+x", "+y"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func dialReal(t *testing.T, e *ensemble.Ensemble, servers int) func(int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	leader, err := e.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	addrs := []string{leader.Addr(), leader.Addr()}
	if servers > 1 {
		f, err := e.Follower(ctx)
		if err != nil {
			t.Fatal(err)
		}
		addrs[0] = f.Addr()
	}
	return func(server int) (net.Conn, error) { return net.Dial("tcp", addrs[server]) }
}
