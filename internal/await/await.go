// Package await is how a test waits. Where something is told, a List keeps it and waits for more. Until is for what sends
// no signal.
package await

import (
	"context"
	"fmt"
	"testing"
	"time"
)

const (
	// Bound is how long a test waits for what comes much sooner: a machine that is busy with other things is no fault.
	Bound = time.Minute
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

// Until looks again and again until ok. After Bound it fails the test: the text says what was awaited, and what is seen then.
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
