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
	code := m.Run()
	if err := ensemble.CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// testLab is a lab on an ensemble that all tests share.
func testLab(tb testing.TB) *lab {
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	tb.Cleanup(cancel)
	return &lab{ctx: ctx, ensemble: ensemble.Shared(tb, ensemble.Config{}), failovers: 1, out: io.Discard}
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
