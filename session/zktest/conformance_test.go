package zktest_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var record = flag.Bool("record", false, "write the real servers' traces to testdata")

// tick is the same everywhere: granted timeouts follow from it.
const tick = 500 * time.Millisecond

// pause spreads the pings of a client that waits.
func pause() { <-time.After(20 * time.Millisecond) }

// observe runs the program on servers reached through dial.
func observe(t testing.TB, servers int, dial func(server int) (net.Conn, error)) []string {
	var lines []string
	for _, s := range program {
		if s.only != 0 && s.only != servers {
			continue
		}
		tr := &trace{t: t, dial: dial, sessions: map[int64]string{}}
		tr.line("== %s", s.name)
		s.run(tr)
		lines = append(lines, tr.lines...)
	}
	return lines
}

func traceFile(servers int) string { return fmt.Sprintf("testdata/real-%d.trace", servers) }

// compare shows the first lines that differ from the real servers' trace.
func compare(t *testing.T, servers int, got []string) {
	t.Helper()
	b, err := os.ReadFile(traceFile(servers))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	section, shown := "", 0
	for i := 0; i < len(got) || i < len(want); i++ {
		g, w := at(got, i), at(want, i)
		if strings.HasPrefix(w, "== ") {
			section = w
		}
		if g != w {
			t.Errorf("%s, line %d\n real: %s\n ours: %s", section, i+1, w, g)
			if shown++; shown == 20 {
				t.Fatal("and more")
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// dialOurs reaches a follower as server 0 and the leader as server 1.
func dialOurs(e *zktest.Ensemble) func(int) (net.Conn, error) {
	addrs := []string{e.Leader().Addr(), e.Leader().Addr()}
	if list := e.Followers(); len(list) > 0 {
		addrs[0] = list[0].Addr()
	}
	return func(server int) (net.Conn, error) {
		return e.Dial(context.Background(), "tcp", addrs[server])
	}
}

func TestOneServerBehavesLikeARealOne(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Tick: tick})
	compare(t, 1, observe(t, 1, dialOurs(e)))
}

func TestAFollowerBehavesLikeARealOne(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, Tick: tick})
	compare(t, 3, observe(t, 3, dialOurs(e)))
}

func TestServersInMemoryBehaveLikeRealOnes(t *testing.T) {
	for _, servers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: servers, Tick: tick, InMemory: true})
			compare(t, servers, observe(t, servers, dialOurs(e)))
		})
	}
}

func TestLatencyChangesNothingThatIsPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, Tick: tick, InMemory: true, Latency: time.Millisecond})
		compare(t, 3, observe(t, 3, dialOurs(e)))
	})
}

// TestRecordReal writes what real servers do, with -record; without, it runs
// the program on them and compares, where there is a ZooKeeper to run.
func TestRecordReal(t *testing.T) {
	if !*record && os.Getenv("ZKRECIPE_REQUIRE_REAL") == "" {
		t.Skip("needs -record, or ZKRECIPE_REQUIRE_REAL=1 to compare")
	}
	for _, servers := range []int{1, 3} {
		e := ensemble.ForTest(t, ensemble.Config{Servers: servers, Tick: tick})
		got := observe(t, servers, dialReal(t, e, servers))
		if *record {
			if err := os.WriteFile(traceFile(servers), []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, servers, got)
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
