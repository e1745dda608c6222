package await

import (
	"slices"
	"sync"
	"time"
)

// A List keeps what a library, a proxy or a server tells, in order. The callback is its method Add.
// The zero value is empty. It must not be copied.
type List[E any] struct {
	mu   sync.Mutex // guards what follows
	all  []E
	more chan struct{} // if not nil, closed by the next Add
}

// Add appends what is told.
func (l *List[E]) Add(e E) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// All returns what has been told so far.
func (l *List[E]) All() []E {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// Len counts what has been told so far.
func (l *List[E]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// Count returns for how many of them is returns true.
func (l *List[E]) Count(is func(E) bool) (n int) {
	for _, e := range l.All() {
		if is(e) {
			n++
		}
	}
	return n
}

// Reset forgets what has been told so far.
func (l *List[E]) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// Next waits for the n-th, from the index from on, for which is returns true, and returns it. n is
// at least 1. The test fails as with Until.
func (l *List[E]) Next(tb TB, what string, from, n int, is func(E) bool, seen ...func() any) (found E) {
	tb.Helper()
	for guard := time.After(Bound); ; {
		all, more := l.wait(from)
		for _, e := range all {
			if from++; is(e) {
				if n--; n == 0 {
					return e
				}
			}
		}
		select {
		case <-more:
		case <-guard:
			fail(tb, what, seen)
		}
	}
}

// wait returns what has been told from an index on, and a channel that is closed when there is
// more.
func (l *List[E]) wait(from int) (all []E, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return slices.Clone(l.all[min(from, len(l.all)):]), l.more
}
