package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	codeToo = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// TestLinksInTheDocumentsLeadSomewhere follows the relative links of every Markdown file, to a file
// and to a heading in it.
func TestLinksInTheDocumentsLeadSomewhere(t *testing.T) {
	n := 0
	eachFile(t, ".md", func(file string, text []byte) {
		for _, m := range link.FindAllStringSubmatch(codeToo.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if err := follow(filepath.Join(root, file), m[1]); err != "" {
				t.Errorf("%s: %s: %s", file, m[1], err)
			}
		}
	})
	if n < 10 {
		t.Errorf("only %d links were found", n)
	}
}

func TestDeadLinksAreNoticed(t *testing.T) {
	readme := filepath.Join(root, "README.md")
	for target, dead := range map[string]bool{
		"examples": false, "#guarantees": false, "README.md#read-on": false,
		"missing.md": true, "#no-such-heading": true, "examples/README.md#guarantees": true,
	} {
		if err := follow(readme, target); (err != "") != dead {
			t.Errorf("%s: %q", target, err)
		}
	}
}

// program names a program of examples/ in a comment.
var program = regexp.MustCompile(`\bexamples/([a-z]+)`)

// TestEachExampleIsNamedInTheDocumentationOfAPackage holds that who reads go doc finds the
// programs, and that those which are named exist.
func TestEachExampleIsNamedInTheDocumentationOfAPackage(t *testing.T) {
	unnamed := map[string]bool{}
	eachFile(t, "main.go", func(file string, _ []byte) {
		if m := program.FindStringSubmatch(filepath.ToSlash(filepath.Dir(file))); m != nil {
			unnamed[m[1]] = true
		}
	})
	if len(unnamed) < 10 {
		t.Errorf("only %d programs were found", len(unnamed))
	}
	eachFile(t, "doc.go", func(file string, text []byte) {
		for _, m := range program.FindAllStringSubmatch(string(text), -1) {
			if err := follow(filepath.Join(root, "README.md"), m[0]); err != "" {
				t.Errorf("%s: %s: %s", file, m[0], err)
			}
			if strings.HasPrefix(file, "recipe") {
				delete(unnamed, m[1])
			}
		}
	})
	for name := range unnamed {
		t.Errorf("no doc.go of a recipe names examples/%s", name)
	}
}

// follow says what is wrong with a link in a file, or nothing.
func follow(file, target string) string {
	target, anchor, _ := strings.Cut(target, "#")
	if target != "" {
		file = filepath.Join(filepath.Dir(file), filepath.FromSlash(target))
	}
	if _, err := os.Stat(file); err != nil {
		return "no such file"
	}
	if anchor == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
		if slug(h[1]) == anchor {
			return ""
		}
	}
	return "no such heading"
}

// slug is the anchor that GitHub gives a heading: lower case, hyphens for spaces, and no
// punctuation.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			return r
		}
		return -1
	}, strings.ToLower(heading))
}
