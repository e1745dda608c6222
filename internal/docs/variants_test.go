package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// TestEveryVariantStillFits demands that each edit of a broken variant applies to today's code, and
// that the test which has to catch it exists. That they are caught takes much longer to find out.
func TestEveryVariantStillFits(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	tests := map[string]bool{} // "directory TestName"
	var variants []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(file, "_test.go"):
			text, err := os.ReadFile(file)
			for _, test := range declared.FindAllSubmatch(text, -1) {
				tests[filepath.Dir(file)+" "+string(test[1])] = true
			}
			return err
		case filepath.Base(filepath.Dir(file)) == "variants":
			variants = append(variants, file)
		}
		return nil
	})
	if err != nil || len(variants) < 100 || len(tests) < 1000 {
		t.Fatalf("%d variants, %d tests (%v)", len(variants), len(tests), err)
	}
	for _, file := range variants {
		v, err := variant.Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := v.Overlay(root, t.TempDir()); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		test, _, _ := strings.Cut(v.Head["test"], "/")
		dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
		if test != "" && !tests[dir+" "+test] {
			t.Errorf("%s: there is no test %s in %s", file, test, dir)
		}
	}
}
