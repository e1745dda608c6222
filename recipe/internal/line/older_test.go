package line

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A candidate that joins reads the record. Then one that was ahead announces its departure. Then
// the first lists the line.
func TestARecordThatIsOlderThanTheListIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		first, p := enterLine(t, e, "a"), enterLine(t, e, "b")
		old, held, err := p.s.Get(t.Context(), "/e")
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, listed, err := p.s.Children(t.Context(), "/e")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.enterRecord(t.Context(), reading{stat: listed, record: old, held: held}, true); err != nil {
			t.Fatal(err)
		}
		if !p.record.Over(0) {
			t.Errorf("the record is %v", p.record)
		}
	})
}
