package docs

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// unwrapped is what stays in one line: tables, headings, pictures, code, where links lead, and the
// entries of the page of known failures.
var unwrapped = regexp.MustCompile(`^(\||#|!\[|    |\[[^]]+\]: |(Seen|What|Met by|Cannot occur): )`)

// TestTheProseOfThePagesIsWrapped holds that a line of prose has at most 120 columns.
func TestTheProseOfThePagesIsWrapped(t *testing.T) {
	n := 0
	eachFile(t, ".md", func(file string, text []byte) {
		if strings.HasPrefix(file, "internal") || strings.HasPrefix(file, "session") {
			return // notes, not pages
		}
		for _, line := range tooWide(string(text)) {
			t.Errorf("%s: this line has more than 120 columns: %s", file, line)
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
		if !code && !unwrapped.MatchString(line) && utf8.RuneCountInString(line) > 120 {
			found = append(found, line)
		}
	}
	return found
}
