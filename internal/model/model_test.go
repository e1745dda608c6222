package model

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var full = flag.Bool("full", false, "search the large configurations too")

// A configuration is a model with its sizes. It is searched to its end.
type configuration struct {
	file  string
	sizes string
	large bool
}

func (c configuration) String() string {
	return strings.TrimSuffix(c.file, ".pml") + strings.ReplaceAll(c.sizes, "-D", "")
}

var (
	two    = configuration{file: "takeover.pml", sizes: "-DCANDIDATES=2 -DDRIFT=0"}
	drift  = configuration{file: "takeover.pml", sizes: "-DCANDIDATES=2 -DDRIFT=1"}
	lines  = configuration{file: "takeover.pml", sizes: "-DLINES=2 -DDRIFT=0", large: true}
	three  = configuration{file: "takeover.pml", sizes: "-DCANDIDATES=3 -DDRIFT=0", large: true}
	record = configuration{file: "record.pml", sizes: "-DNUMBERS=3"}

	once    = configuration{file: "journal.pml", sizes: "-DCLIENTS=2 -DOPERATIONS=1"}
	twice   = configuration{file: "journal.pml", sizes: "-DCLIENTS=2 -DOPERATIONS=2", large: true}
	durable = configuration{file: "journal.pml", sizes: "-DCLIENTS=2 -DOPERATIONS=1 -DDURABLE=1"}
	again   = configuration{file: "journal.pml", sizes: "-DCLIENTS=2 -DOPERATIONS=2 -DRECREATE=1"}
)

var configurations = []configuration{
	three, // first, because it takes longest
	two, drift, record,
	{file: "takeover.pml", sizes: "-DCANDIDATES=2 -DDRIFT=1 -DD=3", large: true},
	{file: "record.pml", sizes: "-DNUMBERS=4", large: true},
	once, durable, again,
	{file: "journal.pml", sizes: "-DCLIENTS=2 -DOPERATIONS=2 -DDURABLE=1", large: true},
	{file: "journal.pml", sizes: "-DCLIENTS=3 -DOPERATIONS=1", large: true},
	lines, twice,
}

// needs says in which configuration something shows that does not in the plain one of its file.
var needs = map[string]configuration{
	"no_margin":         drift,
	"revoked_unchecked": lines,
	"a_confirmed":       lines,
	"an_unrevoked":      lines,
	"a_second":          three,

	"equal_is_done":      twice,
	"an_exclusion":       twice,
	"an_earlier_attempt": twice,
	"a_durable_entry":    durable,
	"no_void":            durable,
	"a_void":             durable,
	"a_late_void":        durable,

	"changed_unvoided": again,
}

func plain(file, name string) configuration {
	if c, ok := needs[name]; ok {
		return c
	}
	return map[string]configuration{"takeover.pml": two, "record.pml": record, "journal.pml": once}[file]
}

func TestTheRulesHold(t *testing.T) {
	for _, c := range configurations {
		t.Run(c.String(), func(t *testing.T) {
			if c.large && !*full {
				t.Skip("large: make model")
			}
			t.Parallel()
			if r := search(t, c, ""); r.violation != "" {
				t.Errorf("%s\n%s", r.violation, r.trace)
			} else {
				t.Logf("%d states, %.1f s", r.states, r.spent.Seconds())
			}
		})
	}
}

// The models are not empty: whatever the rules are about happens in them.
func TestWhatTheRulesAreAboutIsReached(t *testing.T) {
	eachName(t, "What has to be reached", func(t *testing.T, file, name, what string) {
		if r := search(t, plain(file, name), "-DGOAL="+name); !strings.Contains(r.violation, "!=") {
			t.Errorf("not reached: %s", what)
		}
	})
}

func TestEachBrokenRuleIsCaught(t *testing.T) {
	eachName(t, "The broken variants", func(t *testing.T, file, name, what string) {
		if r := search(t, plain(file, name), "-DBROKEN="+name); r.violation == "" {
			t.Errorf("not caught: %s", what)
		}
	})
}

// eachName runs a test for each name that a section of a model defines.
func eachName(t *testing.T, section string, test func(t *testing.T, file, name, what string)) {
	define := regexp.MustCompile(`^#define (\w+) +\d+ +/\* (.*) \*/$`)
	for _, file := range []string{"takeover.pml", "record.pml", "journal.pml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), "/* "+section)
		if !ok {
			t.Fatalf("%s: no section %q", file, section)
		}
		body, _, _ := strings.Cut(rest, "\n\n")
		for line := range strings.Lines(body) {
			m := define.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				continue
			}
			t.Run(strings.TrimSuffix(file, ".pml")+"/"+m[1], func(t *testing.T) {
				t.Parallel()
				test(t, file, m[1], m[2])
			})
		}
	}
}
