package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// knownFailures is the page that maps what has gone wrong elsewhere to tests.
const knownFailures = root + "/recipe/docs/known-failures.md"

// entries are the ids that the page has to hold: B01 to B153 without those that were merged.
func entries() (ids []string) {
	merged := []int{10, 14, 24, 28, 32, 39, 45, 56, 61, 66, 75, 80, 84, 86}
	for n := 1; n <= 153; n++ {
		if !slices.Contains(merged, n) {
			ids = append(ids, fmt.Sprintf("B%02d", n))
		}
	}
	return ids
}

func TestEveryKnownFailureIsMetByATestThatExists(t *testing.T) {
	text, err := os.ReadFile(knownFailures)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range faultsOf(string(text), entries(), testsOf(t, root)) {
		t.Error(wrong)
	}
}

// The page of threats, too, names the tests of its claims.
func TestEveryTestNamedOnThePageOfThreatsExists(t *testing.T) {
	text, err := os.ReadFile(root + "/recipe/docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, n := testsOf(t, root), 0
	for _, name := range testName.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(name[1], ".Test") {
			continue
		}
		n++
		if why := unknown(name[1], tests); why != "" {
			t.Error(why)
		}
	}
	if n == 0 {
		t.Error("no test is named")
	}
}

var (
	entryHead = regexp.MustCompile(`(?m)^### (B\d\d+) (\S.*)$`)
	testName  = regexp.MustCompile("`([^`]+)`")
)

// faultsOf returns what is wrong with a page: ids that are missing, unknown or there twice; entries
// that do not say where it was seen and what it was, or have neither a test nor a reason; tests
// that do not exist.
func faultsOf(page string, ids []string, tests map[string]string) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	seen := map[string]int{}
	heads := entryHead.FindAllStringSubmatchIndex(page, -1)
	for i, h := range heads {
		end := len(page)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		id, body := page[h[2]:h[3]], page[h[1]:end]
		seen[id]++
		lines := map[string]string{}
		for line := range strings.Lines(body) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
				lines[key] = value
			}
		}
		if lines["Seen"] == "" || lines["What"] == "" {
			complain("%s does not tell what was seen where", id)
		}
		met, reason := lines["Met by"], lines["By decision"]
		if (met == "") == (reason == "") {
			complain("%s wants either tests or the decision that it stays", id)
		}
		names := testName.FindAllStringSubmatch(met, -1)
		if met != "" && len(names) == 0 {
			complain("%s names no test", id)
		}
		for _, n := range names {
			if why := unknown(n[1], tests); why != "" {
				complain("%s: %s", id, why)
			}
		}
	}
	for _, id := range ids {
		if seen[id] != 1 {
			complain("%s is there %d times", id, seen[id])
		}
		delete(seen, id)
	}
	for id := range seen {
		complain("%s is no known id", id)
	}
	return wrong
}

// unknown says what is wrong with the name of a test: package.TestName, perhaps with /subtest,
// whose words must stand in the test's file.
func unknown(name string, tests map[string]string) string {
	test, sub, _ := strings.Cut(name, "/")
	if strings.HasSuffix(test, ".variant") {
		test = name // each variant is a file
		sub = ""
	}
	source, ok := tests[test]
	if !ok {
		return "there is no test " + name
	}
	if words := strings.ReplaceAll(sub, "_", " "); !strings.Contains(source, `"`+words+`"`) && sub != "" {
		return "the test " + test + " has no " + words
	}
	return ""
}

// testsOf finds all tests in and below a directory, nested modules and files with build tags
// included: the source file of each, by the name of its directory, a dot and its own. A test that
// only stands in a file of the same directory name elsewhere is the same to it.
func testsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	tests := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if base, ok := strings.CutSuffix(d.Name(), ".txt"); ok && filepath.Base(filepath.Dir(path)) == "variants" {
			of := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(path)))) // the package, above testdata/variants
			tests[of+".variant/"+base] = ""
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name == "TestMain" {
				continue
			}
			if name := fn.Name.Name; strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
				tests[filepath.Base(filepath.Dir(path))+"."+name] = string(text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

func TestAWrongMapOfFailuresIsNoticed(t *testing.T) {
	tests := map[string]string{"a.TestX": `t.Run("its part", ...)`, "sim.variant/v": ""}
	good := "### B01 one\nSeen: here\nWhat: this\nMet by: `a.TestX`, `a.TestX/its_part`, `sim.variant/v`\n" +
		"\n### B02 two\nSeen: there\nWhat: that\nBy decision: because\n"
	if wrong := faultsOf(good, []string{"B01", "B02"}, tests); len(wrong) != 0 {
		t.Fatal(wrong)
	}
	for name, edit := range map[string][2]string{
		"there is no test a.TestY":       {"a.TestX`,", "a.TestY`,"},
		"there is no test sim.variant/w": {"variant/v", "variant/w"},
		"the test a.TestX has no other":  {"its_part", "other"},
		"B02 wants either":               {"By decision: because", ""},
		"B01 wants either":               {"Met by", "By decision: because\nMet by"},
		"B01 names no test":              {"`a.TestX`, `a.TestX/its_part`, `sim.variant/v`", "hope"},
		"B01 does not tell":              {"Seen: here", ""},
		"B02 is there 0 times":           {"### B02 two", "## two"},
		"B02 is there 2 times":           {"### B01 one", "### B02 one"},
		"B03 is no known id":             {"### B02 two", "### B03 two"},
	} {
		if wrong := strings.Join(faultsOf(strings.Replace(good, edit[0], edit[1], 1), []string{"B01", "B02"}, tests), "; "); !strings.Contains(wrong, name) {
			t.Errorf("%q: found %q", name, wrong)
		}
	}
}
