package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// suite is a set of tests that need real servers: of one package, or of all below a directory.
type suite struct {
	name, dir string
	below     bool   // dir is not the package itself
	files     string // the tests in the files that match one of these, or
	tests     string // those whose names match this
}

// full is what every release is tried with.
var full = []suite{
	{name: "zktest", dir: "session/zktest", tests: "^TestRealServersBehaveAsRecorded$"},
	{name: "session", dir: "session", files: "*_real_test.go *_both_test.go"},
	{name: "kerberos", dir: "session/sasl/kerberos", files: "[^v]*_test.go"}, // a module of its own; without its broken variants
	{name: "watch", dir: "watch", files: "*_test.go"},
	{name: "recipes", dir: "recipe", below: true, files: "*real_test.go */*real_test.go */*_both_test.go"},
	{name: "campaign", dir: "internal/campaign", tests: "^TestEveryFaultOnRealEnsembles$"},
}

// selection tests what differs between releases, and the life of a leader from its beginning to its
// end.
var selection = []suite{
	{name: "session", dir: "session", tests: "^(TestEveryErrorOfAServerIsClassified|TestPathsAreRefusedAsTheServersRefuseThem|" +
		"TestTheChrootAppliesToEveryCallWatchAndMulti|TestALost.*LeaveExactlyOneZnode|TestEnsurePathNeedsNoPermissionOnWhatIsThere|" +
		"TestWatchesAreRacelessAcrossAHundredReconnects|TestASilentSessionIsTakenOverFromOnRealServers|TestTLSOnARealSecurePort|" +
		"TestCredentialsSurviveReconnectsAndLostReplies|TestASessionSurvivesTheDeathOfItsServer|TestAFollowerAnswersOneOfSeveralHandshakes)$"},
	{name: "kerberos", dir: "session/sasl/kerberos", tests: "^(TestAPrincipalGetsWhatIsItsOwn|TestAServerThat.*)$"},
	{name: "watch", dir: "watch", files: "*_test.go"},
	{name: "election", dir: "recipe/election", tests: "^(TestTheLeadershipPassesDownTheLine|TestAHiddenContenderAheadIsPolled|" +
		"TestAVanishedLeaderIsReplacedLongBeforeItsSessionExpires|TestRefusalsOfATakeoverAreReported|TestWhatIsRefusedForGoodEndsRun|" +
		"TestALeaderWhoseZnodeBecomesUnreadableIsNotToldItWasDeleted|TestTheElectionGoesOnWhenItsPathIsDeleted)$"},
}

// result is the result of a suite on a release.
type result struct {
	passed, failed, skipped int
	took                    time.Duration
}

func (r result) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.passed, "pass"}, {r.failed, "FAIL"}, {r.skipped, "skipped"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return fmt.Sprintf("%s, %.0f s", strings.Join(parts, ", "), r.took.Seconds())
}

// run runs the suite's tests on a release. What the failed ones print goes to stderr.
func (s suite) run(version string) (r result, err error) {
	pattern := s.tests
	if pattern == "" {
		if pattern, err = testsIn(s.dir, s.files); err != nil {
			return r, err
		}
	}
	packages := "."
	if s.below {
		packages = "./..."
	}
	cmd := exec.Command("go", "test", "-json", "-count=1", "-timeout", "15m", "-run", pattern, packages)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "ZOOKEEPER_VERSION="+version, "ZKRECIPE_REQUIRE_REAL=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	r.read(out, os.Stderr)
	err = cmd.Wait()
	r.took = time.Since(start)
	if err == nil && r.passed == 0 {
		err = fmt.Errorf("no test of %s has run", pattern)
	}
	return r, err
}

// read counts the tests in what go test -json prints, and shows what the failed ones have said.
func (r *result) read(out io.Reader, show io.Writer) {
	said := make(map[string]string)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		var ev struct{ Action, Test, Output string }
		if json.Unmarshal(line, &ev) == nil && ev.Test != "" {
			name, _, sub := strings.Cut(ev.Test, "/")
			switch {
			case ev.Action == "output":
				said[name] += ev.Output
			case sub:
			case ev.Action == "pass":
				r.passed++
			case ev.Action == "skip":
				r.skipped++
			case ev.Action == "fail":
				r.failed++
				io.WriteString(show, said[name])
			}
		}
		if err != nil {
			return
		}
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// testsIn returns a pattern of the tests in some files of a directory.
func testsIn(dir, globs string) (string, error) {
	var names []string
	for _, glob := range strings.Fields(globs) {
		files, err := filepath.Glob(filepath.Join(dir, glob))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			for _, m := range testName.FindAllSubmatch(b, -1) {
				names = append(names, string(m[1]))
			}
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no tests in %s of %s", globs, dir)
	}
	return "^(" + strings.Join(names, "|") + ")$", nil
}
