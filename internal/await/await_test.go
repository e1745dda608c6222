package await

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// fake notes how it was failed.
type fake struct{ text string }

func (f *fake) Helper() {}
func (f *fake) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

func TestUntilReturnsAsSoonAsItIsSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, looks := time.Now(), 0
		Until(t, "third look", func() bool { looks++; return looks == 3 })
		if looks != 3 || time.Since(begin) != 2*Step {
			t.Errorf("%d looks in %v", looks, time.Since(begin))
		}
	})
}

func TestUntilSaysWhatItHasWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, begin := &fake{}, time.Now()
		defer func() {
			if want := "no leader within 1m0s; 2 in line; two errors"; recover() != tb || tb.text != want {
				t.Errorf("%q, want %q", tb.text, want)
			}
			if waited := time.Since(begin); waited != Bound {
				t.Errorf("it has waited %v", waited)
			}
		}()
		Until(tb, "leader", func() bool { return false }, func() any { return "2 in line" }, func() any { return "two errors" })
	})
}
