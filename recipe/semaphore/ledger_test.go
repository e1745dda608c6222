package semaphore_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// A ledger keeps all permits of a semaphore that were handed out, and looks at them whenever
// another is.
type ledger struct {
	size int // of the semaphore

	mu      sync.Mutex // guards what follows
	permits []owned
	slots   map[int]int64 // the last token of each slot
	order   []string      // who was admitted
	expels  bool          // an administrator takes the whole path away: nothing is promised
}

type owned struct {
	*semaphore.Permit
	who string
}

// check compares a permit with all that were handed out before. A permit's Valid goes from true to
// false once, so looking at all whenever one begins finds every moment with too many.
func (l *ledger) check(t testing.TB, who string, permit *semaphore.Permit) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = append(l.order, who)
	l.permits = append(l.permits, owned{permit, who})
	valid, names := 0, []string{}
	taken := map[int]string{}
	for _, p := range l.permits {
		if !p.Valid() {
			continue
		}
		valid += p.N()
		names = append(names, p.who)
		for _, slot := range p.Slots() {
			if other, ok := taken[slot.Number()]; ok && !l.expels {
				t.Errorf("%s and %s have slot %d", other, p.who, slot.Number())
			}
			taken[slot.Number()] = p.who
		}
	}
	if valid > l.size && !l.expels {
		t.Errorf("%d of %d permits are valid: those of %v", valid, l.size, names)
	}
	if l.slots == nil {
		l.slots = map[int]int64{}
	}
	for _, slot := range permit.Slots() {
		if before := l.slots[slot.Number()]; before >= slot.Token() {
			t.Errorf("%s has slot %d with token %d after %d", who, slot.Number(), slot.Token(), before)
		}
		l.slots[slot.Number()] = slot.Token()
	}
}

// admitted lists who was admitted, in order.
func (l *ledger) admitted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}
