// Picture draws a failover: it runs two candidates as processes on an ensemble inside this one, kills
// the leader with SIGKILL, and draws what it has measured. The README shows the result:
//
//	go run ./internal/picture -svg recipe/docs/failover.svg -readme README.md
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 15*time.Second, "the session timeout")
	lease := flag.Duration("lease", 4*time.Second, "the lease")
	svg := flag.String("svg", "", "the `file` that gets the picture")
	readme := flag.String("readme", "", "the `file` that gets the sentence below the picture")
	flag.Parse()
	if err := run(*timeout, *lease, *svg, *readme); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(timeout, lease time.Duration, svg, readme string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+3*timeout)
	defer cancel()
	f, err := measure(ctx, timeout, lease)
	if err != nil {
		return err
	}
	fmt.Println(f)
	if svg != "" {
		if err := os.WriteFile(svg, f.draw(), 0o644); err != nil {
			return err
		}
	}
	if readme == "" {
		return nil
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	if !caption.Match(text) {
		return fmt.Errorf("%s has no place for the sentence", readme)
	}
	return os.WriteFile(readme, caption.ReplaceAllLiteral(text, []byte(begin+f.String()+end)), 0o644)
}

// The sentence stands between these two in the README.
const begin, end = "<!-- make picture -->\n", "\n<!-- end -->"

var caption = regexp.MustCompile(`(?s)` + regexp.QuoteMeta(begin) + `(.*?)` + regexp.QuoteMeta("<!-- end -->"))
