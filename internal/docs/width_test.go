package docs

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// unwrapped is what stays in one line: tables, headings, pictures, code, where links lead, and the
// entries of the page of known failures.
var unwrapped = regexp.MustCompile(`^(\||#|!\[|    |\[[^]]+\]: |(Seen|What|Met by|By decision): )`)

// width is how many columns a line of prose has at most, in pages and in comments.
const width = 100

func TestTheProseOfThePagesIsWrapped(t *testing.T) {
	n := 0
	eachFile(t, ".md", func(file string, text []byte) {
		if strings.HasPrefix(file, "internal") || strings.HasPrefix(file, "session") {
			return // notes, not pages
		}
		for _, line := range tooWide(string(text)) {
			t.Errorf("%s: this line has more than %d columns: %s", file, width, line)
		}
		n++
	})
	if n < 10 {
		t.Errorf("only %d pages were found", n)
	}
	wide := strings.Repeat("word ", 25)
	page := "```go\n" + wide + "\n```\n| " + wide + "\n# " + wide + "\nWhat: " + wide + "\n    " + wide + "\n- " + wide
	if found := tooWide(page); len(found) != 1 || found[0] != "- "+wide {
		t.Errorf("found %q", found)
	}
}

func tooWide(page string) (found []string) {
	code := false
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if !code && !unwrapped.MatchString(line) && utf8.RuneCountInString(line) > width {
			found = append(found, line)
		}
	}
	return found
}

// comment is a line that is nothing but prose of a comment, and no list, code or directive.
var comment = regexp.MustCompile(`^\t*// \S+ `)

// A tab counts as four columns. What stands behind code on its line may be longer.
func TestCommentsAreWrapped(t *testing.T) {
	n := 0
	eachFile(t, ".go", func(file string, text []byte) {
		if strings.Contains(file, "testdata") {
			return
		}
		output := false // of an example, which is what the program prints
		for line := range strings.SplitSeq(string(text), "\n") {
			trimmed := strings.TrimSpace(line)
			output = strings.HasPrefix(trimmed, "//") && (output || strings.HasSuffix(trimmed, "utput:"))
			if output || !comment.MatchString(line) {
				continue
			}
			if wide := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); wide > width {
				t.Errorf("%s: this comment has %d columns, want at most %d: %s", file, wide, width, trimmed)
			}
			n++
		}
	})
	if n < 5000 {
		t.Errorf("only %d lines of comments were found", n)
	}
}
