package election_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

var sink bool

// BenchmarkValid compares Valid on the term of a real election with what it cannot do without, two
// readings of a clock: the metric x/floor is the ratio.
func BenchmarkValid(b *testing.B) {
	e := ensemble.Shared(b, ensemble.Config{Servers: 3})
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	el, err := election.New(client, "/BenchmarkValid", election.Config{})
	if err != nil {
		b.Fatal(err)
	}
	term, err := el.Campaign(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer term.Release(b.Context())
	b.ReportAllocs()
	var floor, valid time.Duration
	for b.Loop() {
		const n = 1000 // in turns, so that a change of the machine's pace touches both
		begun := time.Now()
		for range n {
			now := clock.System.Now()
			sink = now.Mono > now.Boot
		}
		between := time.Now()
		for range n {
			sink = term.Valid()
		}
		floor += between.Sub(begun)
		valid += time.Since(between)
	}
	if !sink {
		b.Fatal("the term has ended")
	}
	b.ReportMetric(float64(valid)/float64(floor), "x/floor")
	b.ReportMetric(float64(valid.Nanoseconds())/float64(b.N)/1000, "ns/Valid")
}
