package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
)

func TestMain(m *testing.M) {
	m.Run()
	if err := ensemble.CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// testLab is a lab on an ensemble that all tests share.
func testLab(tb testing.TB) *lab {
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	tb.Cleanup(cancel)
	e := ensemble.Shared(tb, ensemble.Config{})
	return &lab{ctx: ctx, ensemble: e, addrs: e.Addrs(), failovers: 1, out: io.Discard}
}

// BenchmarkHandOver measures one hand-over and the floor in turn. ns/op includes the wait for an
// heir; the figures that count are ms/floor, ms/handover and x/floor.
func BenchmarkHandOver(b *testing.B) {
	for _, n := range []int{3, 100} {
		b.Run(fmt.Sprintf("candidates=%d", n), func(b *testing.B) {
			l := testLab(b)
			sc := scale{candidates: n, lines: 4, sessions: 3, timeout: 2 * time.Second}
			g, err := setUp(l, sc, false)
			if err != nil {
				b.Fatal(err)
			}
			defer g.close()
			for b.Loop() {
				if err := g.once(); err != nil {
					b.Fatal(err)
				}
			}
			bare, mine := g.took["floor"].at(0.5), g.took["zkrecipe"].at(0.5)
			b.ReportMetric(float64(bare.Microseconds())/1000, "ms/floor")
			b.ReportMetric(float64(mine.Microseconds())/1000, "ms/handover")
			b.ReportMetric(float64(mine)/float64(bare), "x/floor")
		})
	}
}

// BenchmarkJoin measures how long it takes until all of many candidates stand in one line, beside a
// create and a list for each of them.
func BenchmarkJoin(b *testing.B) {
	l := testLab(b)
	clients, closeClients, err := openAll(l, 6, longTimeout)
	if err != nil {
		b.Fatal(err)
	}
	defer closeClients()
	bares, closeBares, err := dialBares(l, 6, longTimeout)
	if err != nil {
		b.Fatal(err)
	}
	defer closeBares()
	const candidates = 300
	var mine, base sample
	for b.Loop() {
		err := collect(&base, func() (time.Duration, error) { return joinBare(l, bares, candidates) })
		if err == nil {
			err = collect(&mine, func() (time.Duration, error) { return joinOurs(l, clients, candidates) })
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(mine.at(0.5).Microseconds())/1000, "ms/join")
	b.ReportMetric(float64(mine.at(0.5))/float64(base.at(0.5)), "x/floor")
}

func TestAFailoverCostsThreeRequestsAtMostHoweverManyStandInLine(t *testing.T) {
	for _, n := range []int{3, 40} {
		one, rest, err := countFailover(testLab(t), n, 3)
		if err != nil {
			t.Fatal(err)
		}
		// The leave. Soon afterwards, while it leads, the next one reads the record, and its heir
		// asks for a notice.
		if one.requests < 1 || one.requests > 3 || one.woken != 1 || one.bytes > 1536 {
			t.Errorf("%d candidates: %+v; want the leave and two reads at most, one candidate woken, 1.5 KB at most", n, one)
		}
		// Two sessions beat 4 times per lease each, now and then one more.
		if rest.writes > 2*4+2 {
			t.Errorf("%d candidates at rest: %.1f writes per lease", n, rest.writes)
		}
	}
}

func TestAnAcquisitionCostsTheSameHoweverManyWait(t *testing.T) {
	for _, waiting := range []int{2, 16, 100} {
		c, _, err := countAcquisitions(testLab(t), waiting)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d waiting: %+v for %d acquisitions", waiting, c, acquisitionRounds)
		// The release and the new place. Reads are the list, one's own znode, the one ahead, and
		// whether there is a notice. A place that waits for long also reads the one before the one
		// ahead. When that one goes, it gets an event and reads the record.
		const some = 3 // that belong to the first and the last acquisition
		if c.writes > 2*acquisitionRounds+some || c.reads > 6*acquisitionRounds+some || c.events > 4*acquisitionRounds+some {
			t.Errorf("%d waiting: %+v for %d acquisitions; want 2 writes, 6 reads and 4 events at most for each", waiting, c, acquisitionRounds)
		}
	}
}

func TestBeatsDoNotGrowWithTheNumberOfElections(t *testing.T) {
	l := testLab(t)
	const timeout = 8 * time.Second // a busy machine ends no lease of 4 s
	clients, closeClients, err := openAll(l, 3, timeout)
	if err != nil {
		t.Fatal(err)
	}
	defer closeClients()
	var paths []string
	for range 50 {
		paths = append(paths, l.path("shard"))
	}
	for i, c := range clients {
		s := newShard(l, c, paths)
		defer s.stop()
		if _, err := s.join(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := s.awaitEntered(); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(timeout / 4) // a new place takes one more
	var before [3]int64
	for i, c := range clients {
		before[i] = c.stamp.beats.Load()
	}
	begun := time.Now()
	time.Sleep(timeout / 2)                                    // the beats of this time are counted
	periods := float64(time.Since(begun)) / float64(timeout/8) // D is half of the timeout
	for i, c := range clients {
		n := float64(c.stamp.beats.Load() - before[i])
		if i < 2 && (n > periods+2 || n == 0) || i == 2 && n != 0 {
			t.Errorf("client %d: %.0f beats in %.1f periods for %d elections", i, n, periods, len(paths))
		}
	}
}
