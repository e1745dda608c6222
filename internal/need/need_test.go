package need

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// fake notes how a test was ended.
type fake struct{ ended string }

func (f *fake) Helper()                           {}
func (f *fake) Skipf(format string, args ...any)  { f.end("skipped", format, args...) }
func (f *fake) Fatalf(format string, args ...any) { f.end("failed", format, args...) }

func (f *fake) end(how, format string, args ...any) {
	f.ended = how + ": " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// set gives the flag -short and the environment values for one test.
func set(t *testing.T, short, require string) {
	before := flag.Lookup("test.short").Value.String()
	t.Cleanup(func() { flag.Set("test.short", before) })
	flag.Set("test.short", short)
	t.Setenv("ZKRECIPE_REQUIRE_REAL", require)
}

func TestATestGoesOnIsSkippedOrFails(t *testing.T) {
	missing := errors.New("no servers")
	for _, c := range []struct {
		short, require string
		err            error
		want           string
	}{
		{"false", "", nil, ""},
		{"false", "", missing, "skipped: SKIP: no servers"},
		{"false", "1", nil, ""},
		{"false", "1", missing, "failed: ZKRECIPE_REQUIRE_REAL=1, but: no servers"},
		{"true", "", nil, "skipped: SKIP: it needs more than Go"},
		{"true", "1", missing, "skipped: SKIP: it needs more than Go"},
	} {
		set(t, c.short, c.require)
		if got := end(func(tb TB) { That(tb, func() error { return c.err }) }); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestAProgramThatIsMissingIsNamedWithItsPackage(t *testing.T) {
	set(t, "false", "")
	if got := end(func(tb TB) { Program(tb, "go", "golang") }); got != "" {
		t.Errorf("the go command is there, but: %s", got)
	}
	t.Setenv("PATH", t.TempDir())
	if got := end(func(tb TB) { Program(tb, "spin", "spin") }); !strings.Contains(got, "skipped") || !strings.Contains(got, "package spin") {
		t.Errorf("without spin: %q", got)
	}
}

// end runs what a test does and returns how that ended the test, "" if it did not.
func end(f func(TB)) string {
	var tb fake
	var wg sync.WaitGroup
	wg.Go(func() { f(&tb) })
	wg.Wait()
	return tb.ended
}
