package main

import (
	"fmt"
	"strings"
	"time"
)

// conclude tells who led when, and reads from the closed ledger what is proved. The error
// says that something does not hold.
func conclude(d *director, file string, subs []string) error {
	charges, refusals, err := readLedger(file)
	if err != nil {
		return err
	}
	byToken := map[int64]int{}
	for _, c := range charges {
		byToken[c.Token]++
	}
	fmt.Printf("\n%-8s %-14s %8s %8s  %7s  %s\n", "leader", "token", "from", "to", "charges", "ended by")
	for _, t := range d.terms {
		fmt.Printf("%-8s %-14d %8s %8s  %7d  %s\n", t.by, t.token, seconds(t.from), seconds(t.to), byToken[t.token], t.end)
	}
	var want []item
	for _, p := range periods {
		for _, s := range subs {
			want = append(want, item{p, s})
		}
	}
	problems := audit(charges, refusals, want, d.stale)
	if pauses := len(d.stale); pauses == 0 || d.crashes == 0 {
		problems = append(problems, "there was no crash, or no pause")
	}
	if len(problems) > 0 {
		return fmt.Errorf("the ledger says:\n  %s", strings.Join(problems, "\n  "))
	}
	fmt.Printf(`
The ledger proves, after %d crashes and %d pauses of leaders:
  charged twice: nobody; missed: nobody (%d subscriptions x %d periods = %d charges)
  stale charges attempted: %d; refused: all
`, d.crashes, len(d.stale), len(subs), len(periods), len(charges), len(refusals))
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
