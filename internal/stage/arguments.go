package stage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// Offline opens a client of a server that does not exist. It is closed when the test ends.
func Offline(t testing.TB) *session.Client {
	t.Helper()
	return Open(t, "127.0.0.1:1", session.Config{})
}

// DeadlineSays makes a call that cannot succeed, with a deadline. It demands that the text of the
// call's error has all the parts.
func DeadlineSays(t testing.TB, call func(context.Context) error, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := call(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want that of the deadline", err)
	}
	Says(t, err, parts...)
}

// Says demands that there is an error, and that its text has all the parts.
func Says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
