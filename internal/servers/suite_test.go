package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

func TestResultsAreCountedAndFailuresShown(t *testing.T) {
	var r result
	var shown strings.Builder
	r.read(strings.NewReader(`{"Action":"output","Test":"TestA","Output":"fine\n"}
{"Action":"pass","Test":"TestA/part"}
{"Action":"pass","Test":"TestA"}
not JSON
{"Action":"output","Test":"TestB/part","Output":"it broke\n"}
{"Action":"fail","Test":"TestB/part"}
{"Action":"fail","Test":"TestB"}
{"Action":"skip","Test":"TestC"}
{"Action":"fail"}`), &shown)
	if r.passed != 1 || r.failed != 1 || r.skipped != 1 || shown.String() != "it broke\n" {
		t.Errorf("%+v, and shown is %q", r, shown.String())
	}
	if got := r.String(); got != "1 pass, 1 FAIL, 1 skipped, 0 s" {
		t.Errorf("it says %q", got)
	}
}

// A test that is renamed must not leave a suite in silence.
func TestEverySuiteNamesTestsThatExist(t *testing.T) {
	for _, s := range append(append([]suite(nil), full...), selection...) {
		pattern, err := testsIn(filepath.Join("..", "..", s.dir), "*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Split(strings.Trim(pattern, "^$()"), "|")
		if s.files != "" {
			if _, err := testsIn(filepath.Join("..", "..", s.dir), s.files); err != nil {
				t.Error(err)
			}
			continue
		}
		for _, part := range strings.Split(strings.Trim(s.tests, "^$()"), "|") {
			if re := regexp.MustCompile("^" + part + "$"); !matchesAny(re, all) {
				t.Errorf("%s: no test is called %s", s.name, part)
			}
		}
	}
}

func matchesAny(re *regexp.Regexp, names []string) bool {
	for _, name := range names {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

func TestTheMakefileNamesTheReleasesThatAreKnown(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "\nNEWEST = "+release.Newest+"\n") {
		t.Errorf("NEWEST in the Makefile is not %s", release.Newest)
	}
	line := regexp.MustCompile(`(?m)^VERSIONS \?= (.*) \$\(NEWEST\)$`).FindSubmatch(b)
	if line == nil {
		t.Fatal("the Makefile has no VERSIONS")
	}
	known := strings.Join(release.Known(), " ") + " "
	for _, v := range strings.Fields(string(line[1])) {
		if !strings.Contains(known, v+" ") {
			t.Errorf("releases.sum says nothing about %s", v)
		}
	}
}
