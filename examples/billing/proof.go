package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

// conclude reads from the ledger what is proved. The error says that something does not hold.
func conclude(d *director) error {
	charges, refusals, err := d.ledger.attempts()
	if err != nil {
		return err
	}
	if problems := audit(charges, refusals, d.ledger.items, d.stale); len(problems) > 0 {
		return fmt.Errorf("the ledger says:\n  %s", strings.Join(problems, "\n  "))
	}
	fmt.Fprintf(example.Stdout, `
The ledger proves, after %d crashes and %d pauses of leaders:
  charged twice: nobody; missed: nobody (%d subscriptions x %d periods = %d charges)
  stale charges attempted: %d; refused: all
`, d.crashes, len(d.stale), subscriptions, len(periods), len(charges), len(refusals))
	return nil
}

// audit reads from the ledger what must hold, and returns what does not: every item is
// charged once; nobody charges once a newer leader has; each of the stale charges was
// attempted and refused, without which the fence has not been put to the test.
func audit(charges, refusals []attempt, want []item, stale []attempt) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	by := map[item][]string{} // who has charged it
	for i, c := range charges {
		by[c.item] = append(by[c.item], fmt.Sprintf("by %s with token %d", c.By, c.Token))
		if i > 0 && c.Token < charges[i-1].Token {
			problem("%s charged %v with token %d after one with %d had been let in", c.By, c.item, c.Token, charges[i-1].Token)
		}
	}
	for _, it := range want {
		switch n := len(by[it]); {
		case n == 0:
			problem("%v was MISSED", it)
		case n > 1:
			problem("%v was charged %d times: %s", it, n, strings.Join(by[it], ", then "))
		}
		delete(by, it)
	}
	for it, who := range by {
		problem("%v was charged, which was not due: %s", it, strings.Join(who, ", then "))
	}
	for _, s := range stale {
		refused := func(r attempt) bool {
			return r.item == s.item && r.By == s.By && r.Token == s.Token && r.Token < r.Newest
		}
		if !slices.ContainsFunc(refusals, refused) {
			problem("%s's stale charge of %v, with token %d, was not attempted and refused", s.By, s.item, s.Token)
		}
	}
	return problems
}
