// Package need lets a test say what it needs beside Go: real servers, root, other programs. There
// are three answers to what is missing. With -short nothing of that kind is used, so that "go test
// -short" gives the same result on every machine. With ZKRECIPE_REQUIRE_REAL=1 in the environment
// the test fails. Otherwise it is skipped.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TB is the part of testing.TB that this package needs.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// That ends the test unless what it needs is available.
func That(tb TB, available func() error) {
	tb.Helper()
	if testing.Short() {
		tb.Skipf("SKIP: it needs more than Go, and -short is set")
	}
	if err := available(); err != nil {
		if os.Getenv("ZKRECIPE_REQUIRE_REAL") == "1" {
			tb.Fatalf("ZKRECIPE_REQUIRE_REAL=1, but: %v", err)
		}
		tb.Skipf("SKIP: %v", err)
	}
}

// Program returns the path of a program. It ends the test if there is none. The program comes with
// a package of Debian.
func Program(tb TB, name, debian string) (path string) {
	tb.Helper()
	That(tb, func() (err error) {
		if path, err = exec.LookPath(name); err != nil {
			err = fmt.Errorf("%w; install Debian's package %s", err, debian)
		}
		return err
	})
	return path
}
