package main

import "fmt"

// audit reads from the ledger what must hold, and returns what does not: every item is
// charged once; nobody charges once a newer leader has; each of the stale charges was
// attempted and refused, without which the fence has not been put to the test.
func audit(charges, refusals []attempt, want []item, stale []attempt) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	made := map[item][]attempt{}
	for _, c := range charges {
		made[c.item] = append(made[c.item], c)
	}
	for _, it := range want {
		switch m := made[it]; {
		case len(m) == 0:
			problem("%v was MISSED", it)
		case len(m) > 1:
			problem("%v was charged %d times: %s", it, len(m), byWhom(m))
		}
		delete(made, it)
	}
	for it, m := range made {
		problem("%v was charged, which was not due: %s", it, byWhom(m))
	}
	for i, c := range charges {
		if i > 0 && c.Token < charges[i-1].Token {
			problem("%s charged %v with token %d after one with %d had been let in", c.By, c.item, c.Token, charges[i-1].Token)
		}
	}
	for _, s := range stale {
		if !refused(s, refusals) {
			problem("%s's stale charge of %v, with token %d, was not attempted and refused", s.By, s.item, s.Token)
		}
	}
	return problems
}

// refused reports whether an attempt is among the refusals, for the right reason.
func refused(s attempt, refusals []attempt) bool {
	for _, r := range refusals {
		if r.item == s.item && r.By == s.By && r.Token == s.Token && r.Token < r.Newest {
			return true
		}
	}
	return false
}

func byWhom(charges []attempt) (text string) {
	for i, c := range charges {
		if i > 0 {
			text += ", then "
		}
		text += fmt.Sprintf("by %s with token %d", c.By, c.Token)
	}
	return text
}
