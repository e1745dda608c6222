// Package await is how a test waits. A List keeps what a callback is told, and waits for more.
// Until is for what sends no signal.
package await

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

const (
	// Bound is how long a test waits. What it waits for comes much sooner, unless the machine is
	// busy with other things.
	Bound = 3 * time.Minute
	// Step is the time between two looks.
	Step = 10 * time.Millisecond
)

// TB is the part of testing.TB that this package needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Context ends after Bound, or with the test.
func Context(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), Bound)
	tb.Cleanup(cancel)
	return ctx
}

// Until calls ok again and again until it returns true. After Bound it fails the test. The text of
// the failure has what, which was awaited, and what seen returns.
func Until(tb TB, what string, ok func() bool, seen ...func() any) {
	tb.Helper()
	for end := time.Now().Add(Bound); !ok(); time.Sleep(Step) {
		if time.Now().After(end) {
			fail(tb, what, seen)
		}
	}
}

func fail(tb TB, what string, seen []func() any) {
	tb.Helper()
	text := ""
	for _, s := range seen {
		text += fmt.Sprintf("; %v", s())
	}
	tb.Fatalf("no %s within %v%s", what, Bound, text)
}

// Sleep sleeps in a testing/synctest bubble. Then it waits until all that is due at that instant
// has happened, a beat for example. After time.Sleep alone the test may go on before that. No other
// goroutine of the bubble may be in Sleep or synctest.Wait at the same time.
func Sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
