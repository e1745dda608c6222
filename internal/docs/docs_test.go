// Package docs keeps the written words true: the Go code in them compiles, and the packages import
// each other only in the directions that the documentation draws.
package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/zkrecipe/zkrecipe"

const root = "../.."

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// whole tells a Go block that is a file from one that is a part of a function.
func whole(block []byte) bool { return bytes.Contains(block, []byte("package ")) }

// TestAPartOfAProgramInTheDocumentsIsAPartOfAnExample holds that a Go block which is not a file of
// its own stands, line by line, in a file of examples, which is compiled.
func TestAPartOfAProgramInTheDocumentsIsAPartOfAnExample(t *testing.T) {
	examples, n := "", 0
	eachFile(t, "_test.go", func(path string, text []byte) {
		if strings.HasPrefix(filepath.Base(path), "example") {
			examples += flat(text)
		}
	})
	eachFile(t, ".md", func(path string, text []byte) {
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			if whole(block[1]) {
				continue
			}
			n++
			if !strings.Contains(examples, flat(block[1])) {
				t.Errorf("%s: no example has this code:\n%s", path, block[1])
			}
		}
	})
	if n == 0 {
		t.Error("no such block was found")
	}
	if strings.Contains(examples, flat([]byte("return el.Run(ctx)\n"))) {
		t.Error("code that is in no example is found")
	}
}

// flat is code without its indentation.
func flat(code []byte) string {
	return "\n" + regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(strings.Trim(string(code), "\n"), "") + "\n"
}

// TestTheGoCodeInTheDocumentsCompiles builds every Go block of every Markdown file that is a whole
// program.
func TestTheGoCodeInTheDocumentsCompiles(t *testing.T) {
	notInShort(t)
	compile(t, ".", func(block string) bool { return !foreign.MatchString(block) })
}

// notInShort skips a test that compiles programs, which takes seconds.
func notInShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: it compiles programs, and -short is set")
	}
}

// foreign tells code of libraries that this module does not depend on: what people migrate from. It
// is compiled in a module of its own.
var foreign = regexp.MustCompile(`"(github\.com/go-redsync|go\.etcd\.io/etcd|k8s\.io)/`)

// TestTheForeignCodeInTheDocumentsCompiles takes minutes when nothing of those libraries has been
// compiled before, so it runs only where it is asked for ("make foreign").
func TestTheForeignCodeInTheDocumentsCompiles(t *testing.T) {
	if os.Getenv("ZKRECIPE_FOREIGN") == "" {
		t.Skip(`SKIP: code of other libraries in the documents is compiled by "make foreign"`)
	}
	compile(t, "foreign", foreign.MatchString)
}

// compile builds the chosen Go blocks of all Markdown files in the module at dir.
func compile(t *testing.T, dir string, chosen func(block string) bool) {
	overlay := map[string]string{}
	temp := t.TempDir()
	here, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	eachFile(t, ".md", func(path string, text []byte) {
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			if !whole(block[1]) || !chosen(string(block[1])) {
				continue
			}
			name := fmt.Sprintf("block%d", len(overlay))
			file := filepath.Join(temp, name+".go")
			if err := os.WriteFile(file, block[1], 0o644); err != nil {
				t.Fatal(err)
			}
			// The files exist in the overlay alone, inside this module.
			overlay[filepath.Join(here, name, "main.go")] = file
			dirs = append(dirs, "./"+name)
		}
	})
	if len(dirs) == 0 {
		t.Fatal("no Go code found in any document")
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(file, replace, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", append([]string{"build", "-overlay", file, "-o", temp + string(filepath.Separator)}, dirs...)...)
	build.Dir = here
	out, err := build.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// mayImport says, for the packages below a directory, which packages of this module and of others
// they may import besides the standard library, "x/." for x without what is below it. The longest
// matching directory counts.
var mayImport = map[string][]string{
	"internal/clock":          {},
	"internal/retry":          {"internal/clock", "github.com/cenkalti/backoff/v4"},
	"internal/enum":           {},
	"internal/notify":         {},
	"internal/tether":         {},
	"internal":                {"internal", "session", "github.com/go-zookeeper/zk"},
	"internal/stage":          {"internal", "recipe/.", "session", "github.com/go-zookeeper/zk"},
	"internal/compose":        {"internal/ensemble/release", "internal/history"},
	"internal/campaign":       {"internal", "recipe/election", "recipe/semaphore", "session", "github.com/go-zookeeper/zk"},
	"internal/bench":          {"internal", "recipe/election", "recipe/semaphore", "session", "github.com/go-zookeeper/zk", "recipe/lock"},
	"internal/updates":        {"github.com/anishathalye/porcupine"},
	"internal/sim":            {"recipe/.", "recipe/election", "recipe/barrier", "recipe/cache", "recipe/group", "recipe/lock", "recipe/semaphore", "recipe/value", "session", "internal/clock", "internal/updates", "github.com/go-zookeeper/zk"},
	"session":                 {"session/internal", "internal/clock", "internal/enum", "internal/feed", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"session/zktest":          {"session/zktest"},
	"watch":                   {"session", "internal/clock", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe":                  {"recipe", "watch", "session", "internal/clock", "internal/enum", "internal/feed", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/internal/flight":  {},
	"recipe/internal/line":    {"recipe/.", "recipe/internal/flight", "session", "internal/clock", "internal/enum", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/cache":            {"recipe/.", "session", "internal/clock", "internal/enum", "internal/feed", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/election":         {"recipe/.", "recipe/internal", "watch", "session", "internal/clock", "internal/enum", "internal/feed", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/internal/ident":   {"github.com/go-zookeeper/zk"},
	"recipe/lock":             {"recipe/.", "recipe/internal", "session", "internal/clock", "internal/enum", "internal/feed", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/group":            {"recipe/.", "recipe/internal/held", "recipe/internal/ident", "recipe/internal/life", "recipe/internal/tenure", "recipe/internal/testhook", "session", "internal/clock", "internal/enum", "internal/feed", "internal/notify", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/barrier":          {"recipe/.", "recipe/internal/held", "recipe/internal/ident", "recipe/internal/life", "recipe/internal/tenure", "recipe/internal/testhook", "session", "internal/clock", "internal/enum", "internal/feed", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/latch":            {"recipe/.", "recipe/internal/ident", "recipe/internal/life", "watch", "session", "github.com/go-zookeeper/zk"},
	"recipe/value":            {"recipe/.", "recipe/internal/ident", "recipe/internal/journal", "watch", "session", "internal/clock", "internal/enum", "internal/retry", "github.com/go-zookeeper/zk"},
	"recipe/internal/journal": {"session", "internal/clock", "internal/retry", "github.com/go-zookeeper/zk"},
	"examples":                {"examples", "recipe/.", "recipe/election", "recipe/group", "recipe/lock", "session", "watch", "internal/clock", "internal/ensemble", "internal/feed", "internal/history", "internal/notify", "internal/tether", "recipe/semaphore"},
	"internal/proc":           {"internal/await", "internal/notify", "internal/tether"},
	"examples/dispatcher":     {"examples", "recipe/election", "recipe/group", "recipe/lock", "session", "watch", "github.com/go-zookeeper/zk"},
	"examples/contender":      {"examples", "recipe/.", "recipe/lock", "recipe/semaphore", "session", "internal/history", "internal/proc", "github.com/go-zookeeper/zk"},
	"examples/counter":        {"examples", "recipe/value", "session", "internal/history"},
	"examples/config":         {"examples", "recipe/cache", "session"},
	"recipe/semaphore":        {"recipe/.", "recipe/internal", "session", "internal/clock", "internal/enum", "internal/feed", "internal/retry", "github.com/go-zookeeper/zk"},
	"examples/service":        {"examples", "recipe/election", "session", "github.com/prometheus/client_golang", "golang.org/x/sync", "recipe/recipehttp", "recipe/recipeprom"},
	"examples/billing":        {"examples", "recipe/election", "session", "go.etcd.io/bbolt"},
	"examples/ledger":         {"examples", "recipe/.", "recipe/lock", "session", "go.etcd.io/bbolt"},
	"recipe/internal/claims":  {"recipe/.", "internal/clock"},
	"recipe/recipetest":       {"recipe/.", "recipe/barrier", "recipe/election", "recipe/group", "recipe/lock", "recipe/semaphore", "recipe/internal/testhook", "session", "session/zktest"},
	"recipe/recipehttp":       {"internal/feed", "recipe/.", "recipe/cache", "recipe/election", "recipe/group", "recipe/lock", "recipe/semaphore", "session"},
	"recipe/recipeprom":       {"recipe/.", "recipe/cache", "recipe/election", "recipe/group", "recipe/lock", "recipe/semaphore", "recipe/value", "session", "github.com/prometheus/client_golang"},
	"examples/shards":         {"examples", "recipe/election", "golang.org/x/sync"},
	"examples/status":         {"examples", "recipe/election", "recipe/lock", "recipe/recipehttp", "session", "golang.org/x/sync"},
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	checked := 0
	eachFile(t, ".go", func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata/") {
			return
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, ok := rulesFor(dir)
		if !ok {
			t.Errorf("%s: mayImport has no row for %s", path, dir)
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		checked++
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			name = strings.TrimPrefix(name, module+"/")
			if !strings.Contains(strings.SplitN(name, "/", 2)[0], ".") && !ours(name) {
				continue // the standard library
			}
			if !within(name, allowed) {
				t.Errorf("%s imports %s; allowed are %v", path, name, allowed)
			}
		}
	})
	if checked < 20 {
		t.Errorf("only %d files were checked", checked)
	}
}

// TestEachPackageIsNamedInTheArchitecture holds that the page says of each directory of packages
// what it is for. Those of the examples are together.
func TestEachPackageIsNamedInTheArchitecture(t *testing.T) {
	const path = "recipe/docs/architecture.md"
	text, n, named := page(t, path), 0, map[string]bool{}
	eachFile(t, ".go", func(path string, _ []byte) {
		if dir := filepath.ToSlash(filepath.Dir(path)); !strings.Contains(dir, "testdata") {
			if strings.HasPrefix(dir, "examples/") {
				dir = "examples"
			}
			named[dir] = true
		}
	})
	for dir := range named {
		n++
		if !strings.Contains(text, "`"+dir+"`") {
			t.Errorf("%s does not name %s", path, dir)
		}
	}
	if n < 50 {
		t.Errorf("only %d packages were found", n)
	}
	for _, name := range regexp.MustCompile("(?m)^\\| (`[a-z/]+`(?:, `[a-z/]+`)*) \\|").FindAllStringSubmatch(text, -1) {
		for _, dir := range regexp.MustCompile("[a-z/]+").FindAllString(name[1], -1) {
			if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
				t.Errorf("%s names %s, which does not exist", path, dir)
			}
		}
	}
}

func TestAForbiddenImportIsNoticed(t *testing.T) {
	for dir, name := range map[string]string{"session": "recipe/election", "watch": "recipe/internal/line", "recipe/internal/line": "recipe/election", "session/zktest": "github.com/go-zookeeper/zk"} {
		allowed, _ := rulesFor(dir)
		if within(name, allowed) {
			t.Errorf("%s may import %s", dir, name)
		}
	}
}

func ours(name string) bool {
	for _, dir := range []string{"internal", "session", "watch", "recipe", "examples"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			_, err := os.Stat(filepath.Join(root, name))
			return err == nil
		}
	}
	return false
}

func rulesFor(dir string) (allowed []string, ok bool) {
	for d := dir; d != "."; d = filepath.ToSlash(filepath.Dir(d)) {
		if allowed, ok = mayImport[d]; ok {
			return allowed, true
		}
	}
	return nil, false
}

func within(name string, allowed []string) bool {
	for _, a := range allowed {
		if name == strings.TrimSuffix(a, "/.") || strings.HasPrefix(name, a+"/") {
			return true
		}
	}
	return false
}

// eachFile visits the files of this module with an ending.
func eachFile(t *testing.T, ending string, visit func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, other := os.Stat(filepath.Join(path, "go.mod"))
			if strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || other == nil && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ending) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		visit(rel, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
