package zktest_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// tick is the same everywhere: granted timeouts follow from it.
const tick = 500 * time.Millisecond

// stays is the longest timeout that servers with this tick grant, in milliseconds: no session ends
// because the machine is busy.
const stays = 10000

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

// of runs one part of the program.
func (tr *trace) of(run func(*trace)) []string {
	run(tr)
	return tr.lines
}

func traceFile(release zktest.Release, servers int) string {
	return fmt.Sprintf("testdata/%s-%d.trace", release, servers)
}

// recorded returns the trace of real servers.
func recorded(t *testing.T, release zktest.Release, servers int) []string {
	t.Helper()
	b, err := os.ReadFile(traceFile(release, servers))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// compare shows the first lines that differ from the real servers' trace.
func compare(t *testing.T, cfg zktest.Config, got []string) {
	t.Helper()
	want := recorded(t, cfg.Release, cfg.Servers)
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

// releases are those that zktest imitates.
var releases = []zktest.Release{zktest.Release3510, zktest.Release380, zktest.Release395}

// recordable says whether real servers of that release always give the same trace. At a follower of
// 3.5 and 3.6 a multi that has failed makes the next create of one of its paths fail now and then,
// if a client is quick enough.
func recordable(release zktest.Release, servers int) bool {
	return servers == 1 || !strings.HasPrefix(string(release), "3.5.") && !strings.HasPrefix(string(release), "3.6.")
}

// onReleases runs a test for each release and number of servers.
func onReleases(t *testing.T, test func(t *testing.T, cfg zktest.Config)) {
	for _, release := range releases {
		for _, servers := range []int{1, 3} {
			if !recordable(release, servers) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", release, servers), func(t *testing.T) {
				test(t, zktest.Config{Release: release, Servers: servers, Tick: tick})
			})
		}
	}
}

func TestServersBehaveLikeRealOnes(t *testing.T) {
	onReleases(t, func(t *testing.T, cfg zktest.Config) {
		t.Parallel() // most of it is pauses
		e := zktest.Start(t, cfg)
		compare(t, cfg, observe(t, cfg.Servers, dialOurs(e)))
	})
}

func TestServersInMemoryBehaveLikeRealOnes(t *testing.T) {
	onReleases(t, func(t *testing.T, cfg zktest.Config) {
		synctest.Test(t, func(t *testing.T) {
			cfg.InMemory = true
			e := zktest.Start(t, cfg)
			compare(t, cfg, observe(t, cfg.Servers, dialOurs(e)))
		})
	})
}

func TestLatencyChangesNothingThatIsPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := zktest.Config{Release: zktest.Release395, Servers: 3, Tick: tick, InMemory: true, Latency: time.Millisecond}
		e := zktest.Start(t, cfg)
		compare(t, cfg, observe(t, 3, dialOurs(e)))
	})
}
