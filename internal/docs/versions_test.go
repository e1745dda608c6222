package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// first returns the first group of a pattern in a file.
func first(t *testing.T, path, pattern string) string {
	t.Helper()
	m := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(page(t, path))
	if m == nil {
		t.Fatalf("%s has no %s", path, pattern)
	}
	return m[1]
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// TestThePagesNameTheVersionsThatAreTested compares the table of versions.md with what the tests
// run on, and what README and operations say with that table.
func TestThePagesNameTheVersionsThatAreTested(t *testing.T) {
	const versions = "recipe/docs/versions.md"
	tested := map[string][]string{ // by row of the table
		"Go":        {first(t, "go.mod", `^go (\d+\.\d+)`), first(t, "docker-compose.yml", `image: golang:(\d+\.\d+)\.`)},
		"ZooKeeper": {string(zktest.Release380), release.Newest, first(t, "docker-compose.yml", `image: zookeeper:(.*)$`)},
		"others in one line": {
			first(t, "internal/peers/libraries/curator.xml", `<artifactId>curator-recipes</artifactId>\s*<version>(.*)</version>`),
			first(t, "internal/peers/libraries/kazoo.txt", `^kazoo==(\S+)`),
			first(t, "go.mod", `go-zookeeper/zk v(\S+)`),
		},
	}
	for row, want := range tested {
		have := number.FindAllString(first(t, versions, `^\| `+row+` \|(.*)$`), -1)
		for _, v := range want {
			if !slices.Contains(have, v) {
				t.Errorf("%s: the row %s names %v; the tests run on %s", versions, row, have, v)
			}
		}
		for _, path := range []string{"README.md", "recipe/docs/operations.md"} {
			said := number.FindAllString(first(t, path, `((?:.+\n)*.*\[Tested\]\(.*versions\.md#(?:.+\n)+)`), -1)
			for _, v := range have {
				if !slices.Contains(said, v) {
					t.Errorf("%s does not name %s; the row %s of %s does", path, v, row, versions)
				}
			}
		}
	}
	table := page(t, versions)
	for _, v := range release.Known() {
		if !strings.Contains(table, "\n| "+v+" |") {
			t.Errorf("%s has no row for %s", versions, v)
		}
	}
}
