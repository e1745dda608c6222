package stage

import (
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/session"
)

// Offline opens a client of a server that does not exist. It is closed when the test ends.
func Offline(t testing.TB) *session.Client {
	t.Helper()
	return Open(t, "127.0.0.1:1", session.Config{})
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
