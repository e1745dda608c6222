package await

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// fake records how it was failed.
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
	failsWith(t, "no leader within 3m0s; 2 in line; two errors", func(tb TB) {
		Until(tb, "leader", func() bool { return false }, func() any { return "2 in line" }, func() any { return "two errors" })
	})
}

func TestAListWaitsForWhatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List[int]
		l.Add(2)
		go func() {
			for i := range 10 {
				time.Sleep(time.Second)
				l.Add(i)
			}
		}()
		begin, even := time.Now(), func(i int) bool { return i%2 == 0 }
		if got := l.Next(t, "third even number", 0, 3, even); got != 2 || time.Since(begin) != 3*time.Second {
			t.Errorf("%d after %v, want 2 after 3 s", got, time.Since(begin))
		}
		if got := l.Next(t, "even number after five", l.Len(), 1, even); got != 4 || l.Len() != 6 || l.Count(even) != 4 {
			t.Errorf("%d, list %v", got, l.All())
		}
		time.Sleep(time.Minute)
		l.Reset()
		if l.Add(7); len(l.All()) != 1 {
			t.Errorf("%v after Reset and one more", l.All())
		}
	})
}

func TestAListSaysWhatItHasWaitedFor(t *testing.T) {
	var l List[int]
	failsWith(t, "no seven within 3m0s; [6 5]", func(tb TB) {
		l.Add(6)
		l.Add(5)
		l.Next(tb, "seven", 0, 1, func(i int) bool { return i == 7 }, func() any { return l.All() })
	})
}

// failsWith demands that a wait fails with that text, at its bound.
func failsWith(t *testing.T, text string, wait func(TB)) {
	synctest.Test(t, func(t *testing.T) {
		tb, begin := &fake{}, time.Now()
		defer func() {
			if recover() != tb || tb.text != text {
				t.Errorf("%q, want %q", tb.text, text)
			}
			if waited := time.Since(begin); waited < Bound || waited > Bound+Step {
				t.Errorf("it has waited %v", waited)
			}
		}()
		wait(tb)
	})
}
