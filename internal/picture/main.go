// Picture draws a failover: it runs two candidates as processes on an ensemble inside this one,
// kills the leader with SIGKILL, and draws what it has measured. The README shows the result. Below
// it stand the numbers of the last benchmark, from the page of performance:
//
//	go run ./internal/picture -svg recipe/docs/failover.svg -readme README.md -performance recipe/docs/performance.md
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
	readme := flag.String("readme", "", "the `file` that gets the sentences below the picture")
	performance := flag.String("performance", "", "the `file` with the tables of the last benchmark")
	flag.Parse()
	if err := run(*timeout, *lease, *svg, *readme, *performance); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(timeout, lease time.Duration, svg, readme, performance string) error {
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
	sentence := f.String()
	if performance != "" {
		page, err := os.ReadFile(performance)
		if err != nil {
			return err
		}
		more, err := numbers(string(page))
		if err != nil {
			return err
		}
		sentence += "\n\n" + more
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	if !caption.Match(text) {
		return fmt.Errorf("%s has no place for the sentences", readme)
	}
	return os.WriteFile(readme, caption.ReplaceAllLiteral(text, []byte(begin+sentence+end)), 0o644)
}

// The sentences stand between these two in the README.
const begin, end = "<!-- make picture -->\n", "\n<!-- end -->"

var caption = regexp.MustCompile(`(?s)` + regexp.QuoteMeta(begin) + `(.*?)` + regexp.QuoteMeta("<!-- end -->"))
