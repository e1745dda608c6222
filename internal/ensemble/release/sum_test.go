package release

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var add = flag.String("add", "", "fetch this release and write what it consists of to releases.sum")

// TestAddARelease adds a release: go test ./internal/ensemble/release -run AddARelease -add 3.9.6
func TestAddARelease(t *testing.T) {
	if *add == "" {
		t.Skip("needs -add VERSION")
	}
	lines, err := sum(*add)
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	for line := range strings.Lines(sums) {
		if !strings.Contains(line, "  "+*add+"/") {
			kept.WriteString(line)
		}
	}
	if err := os.WriteFile("releases.sum", []byte(kept.String()+lines), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sum fetches a release anew and returns its lines for releases.sum.
func sum(version string) (string, error) {
	dir, err := os.MkdirTemp("", "zookeeper-release-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := fetch(dir, version); err != nil {
		return "", err
	}
	got, err := hash(dir)
	if err != nil {
		return "", err
	}
	var lines []string
	for name, sum := range got {
		lines = append(lines, fmt.Sprintf("%s  %s/%s\n", sum, version, name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return strings.Join(lines, ""), nil
}
