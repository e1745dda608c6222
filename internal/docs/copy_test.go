package docs

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var toCopy = regexp.MustCompile(`\[[^]]+\]\(([^)]+\.go)\)\s+is\s+the\s+part\s+to\s+copy`)

// A package that is internal cannot be imported by the programs of those who copy.
func TestThePartsToCopyImportNothingInternal(t *testing.T) {
	dir := filepath.Join(root, "examples")
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := toCopy.FindAllSubmatch(text, -1)
	if len(parts) < 4 || len(parts) != len(regexp.MustCompile(`the\s+part\s+to\s+copy`).FindAll(text, -1)) {
		t.Errorf("only %d parts to copy have links", len(parts))
	}
	for _, part := range parts {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, string(part[1])), nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range f.Imports {
			if strings.Contains(spec.Path.Value, "/internal/") {
				t.Errorf("%s imports %s", part[1], spec.Path.Value)
			}
		}
	}
}
