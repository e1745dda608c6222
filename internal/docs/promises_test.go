package docs

import (
	"regexp"
	"strings"
	"testing"
)

// pauseTold matches a promise about the first look at a context after a pause; derivedToo what has
// to stand beside it.
var (
	pauseTold  = regexp.MustCompile(`(?s)paused.*\bfirst\b.*\bErr\b`)
	derivedToo = regexp.MustCompile(`context\.WithTimeout.*errgroup\.WithContext`)
	softBreak  = regexp.MustCompile(`\n(//)?\s*`)
)

// TestWhatAFirstErrTellsIsNotPromisedOfOtherContexts holds that wherever the first Err after a
// pause is said to tell, it stands there that a context made from the term's does not.
func TestWhatAFirstErrTellsIsNotPromisedOfOtherContexts(t *testing.T) {
	n := 0
	for _, ending := range []string{".md", ".go"} {
		eachFile(t, ending, func(file string, text []byte) {
			if strings.HasSuffix(file, "_test.go") {
				return
			}
			for _, p := range paragraphs(string(text)) {
				if !pauseTold.MatchString(p) {
					continue
				}
				n++
				if !derivedToo.MatchString(p) {
					t.Errorf("%s: other contexts are not told about in %q", file, p)
				}
			}
		})
	}
	if n < 4 {
		t.Errorf("only %d such promises were found", n)
	}
}

// paragraphs returns the paragraphs, list items and rows of tables of a text, each in one line.
func paragraphs(text string) (all []string) {
	for _, p := range regexp.MustCompile(`\n(//)?[ \t]*\n|\n\||\n(//)?\s*(- |\d\. )`).Split(text, -1) {
		all = append(all, softBreak.ReplaceAllString(p, " "))
	}
	return all
}
