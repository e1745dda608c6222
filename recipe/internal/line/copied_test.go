package line

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A record that was copied from another path is replaced by the one ahead. Who joins meanwhile has read it before
// that, and lists the line afterwards.
func TestARecordThatIsOlderThanTheListIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		enterLine(t, e, "a")
		p := enterLine(t, e, "b")
		if _, err := p.s.Set(t.Context(), "/e", []byte("zkrecipe line 1\nlease 4s\nsettled 1\n"), -1); err != nil {
			t.Fatal(err)
		}
		old, held, err := p.s.Get(t.Context(), "/e")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.s.Set(t.Context(), "/e", FirstRecord(4*time.Second), -1); err != nil {
			t.Fatal(err)
		}
		_, listed, err := p.s.Children(t.Context(), "/e")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.enterRecord(t.Context(), reading{stat: listed, record: old, held: held}, true, nil); err != nil {
			t.Fatal(err)
		}
		if p.record.Over(0) {
			t.Errorf("the record is %v", p.record)
		}
	})
}
