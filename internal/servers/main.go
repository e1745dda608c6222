// Command servers runs the tests that need real servers on several releases of ZooKeeper, one after
// the other, and prints a Markdown table of the results. Package ensemble/release has the releases.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/ensemble/release"
)

func main() {
	versions := flag.String("versions", "", "the releases, with spaces between them; default: all that are known")
	short := flag.Bool("short", false, "a selection that takes a minute or two")
	flag.Parse()
	list := strings.Fields(*versions)
	if len(list) == 0 {
		list = release.Known()
	}
	suites := full
	if *short {
		suites = selection
	}
	if !table(list, suites) {
		os.Exit(1)
	}
}

// table runs the suites on each release, prints the table, and tells whether everything was well.
func table(versions []string, suites []suite) (ok bool) {
	ok = true
	head := "| release |"
	for _, s := range suites {
		head += " " + s.name + " |"
	}
	rows := []string{head, "|" + strings.Repeat("---|", len(suites)+1)}
	for _, v := range versions {
		row, good := onRelease(v, suites)
		rows, ok = append(rows, row), ok && good
	}
	fmt.Println(strings.Join(rows, "\n"))
	return ok
}

// onRelease runs the suites on one release. A release that is not available is a failure only where
// nothing may be left out.
func onRelease(version string, suites []suite) (row string, ok bool) {
	if err := ensemble.Has(version); err != nil {
		fmt.Fprintf(os.Stderr, "SKIP: %s: %v\n", version, err)
		return "| " + version + " | cannot be had |", os.Getenv("ZKRECIPE_REQUIRE_REAL") != "1"
	}
	row, ok = "| "+version+" |", true
	for _, s := range suites {
		r, err := s.run(version)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s on %s: %v\n", s.name, version, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s: %s\n", version, s.name, r)
		row, ok = row+" "+r.String()+" |", ok && err == nil && r.failed == 0
	}
	return row, ok
}
