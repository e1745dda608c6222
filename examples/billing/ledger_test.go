package main

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var (
	one = item{"May", "sub-1"}
	two = item{"May", "sub-2"}
)

// newLedger returns a ledger with two items due, and a function that closes and reads it.
func newLedger(t *testing.T, fence bool) (l *ledger, read func() (charges, refusals []attempt)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := createLedger(file, []item{one, two}, fence)
	if err != nil {
		t.Fatal(err)
	}
	return l, func() (charges, refusals []attempt) {
		t.Helper()
		charges, refusals, err := l.attempts()
		if err := errors.Join(err, l.db.Close()); err != nil {
			t.Fatal(err)
		}
		return charges, refusals
	}
}

func due(t *testing.T, l *ledger, token int64) []item {
	t.Helper()
	items, err := l.due(token)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func charge(l *ledger, by string, token int64, it item) error {
	return l.charge(attempt{item: it, By: by, Token: token})
}

func TestWhatIsChargedIsNotDue(t *testing.T) {
	l, read := newLedger(t, true)
	if got, want := due(t, l, 5), []item{one, two}; !reflect.DeepEqual(got, want) {
		t.Errorf("due is %v; want %v", got, want)
	}
	if err := charge(l, "alice", 5, one); err != nil {
		t.Fatal(err)
	}
	if got, want := due(t, l, 5), []item{two}; !reflect.DeepEqual(got, want) {
		t.Errorf("due is %v; want %v", got, want)
	}
	charges, refusals := read()
	if want := []attempt{{one, "alice", 5, 5, false}}; !reflect.DeepEqual(charges, want) || refusals != nil {
		t.Errorf("the file has the charges %v and the refusals %v; want %v and none", charges, refusals, want)
	}
}

func TestAStaleChargeIsRefusedAndNoted(t *testing.T) {
	l, read := newLedger(t, true)
	if err := charge(l, "bob", 9, one); err != nil {
		t.Fatal(err)
	}
	if err := charge(l, "alice", 5, two); !errors.Is(err, errStale) {
		t.Errorf("the stale charge: %v; want %v", err, errStale)
	}
	charges, refusals := read()
	if want := []attempt{{two, "alice", 5, 9, true}}; len(charges) != 1 || !reflect.DeepEqual(refusals, want) {
		t.Errorf("the file has the charges %v and the refusals %v; want bob's and %v", charges, refusals, want)
	}
}

// A charge that is on its way while its successor reads what is due must not land.
func TestReadingLocksOutOlderLeaders(t *testing.T) {
	l, read := newLedger(t, true)
	due(t, l, 9)
	if err := charge(l, "alice", 5, one); !errors.Is(err, errStale) {
		t.Errorf("a charge with the older token: %v; want %v", err, errStale)
	}
	if _, err := l.due(5); !errors.Is(err, errStale) {
		t.Errorf("a reader with the older token: %v; want %v", err, errStale)
	}
	read()
}

func TestTheAuditFindsWhatIsWrong(t *testing.T) {
	a1, a2 := attempt{one, "alice", 5, 5, false}, attempt{two, "alice", 5, 5, false}
	b1, b2 := attempt{one, "bob", 9, 9, false}, attempt{two, "bob", 9, 9, false}
	late := attempt{two, "alice", 5, 9, true}
	stale := []attempt{{item: two, By: "alice", Token: 5}}
	for _, test := range []struct {
		name              string
		charges, refusals []attempt
		want              string // "" if nothing is
	}{
		{"as it should be", []attempt{a1, b2}, []attempt{late}, ""},
		{"nobody missed but one", []attempt{a1}, []attempt{late}, "sub-2 for May was MISSED"},
		{"charged twice by one", []attempt{a1, a1, b2}, []attempt{late}, "sub-1 for May was charged 2 times: by alice with token 5, then by alice"},
		{"charged twice by two", []attempt{a1, b1, b2}, []attempt{late}, "sub-1 for May was charged 2 times: by alice with token 5, then by bob with token 9"},
		{"charged out of turn", []attempt{b2, a1}, []attempt{late}, "alice charged sub-1 for May with token 5 after one with 9"},
		{"not due", []attempt{a1, b2, {item{"June", "sub-1"}, "bob", 9, 9, false}}, []attempt{late}, "sub-1 for June was charged, which was not due"},
		{"no stale charge", []attempt{a1, b2}, nil, "alice's stale charge of sub-2 for May, with token 5, was not attempted and refused"},
		{"another's refusal", []attempt{a1, b2}, []attempt{{two, "carol", 5, 9, true}}, "alice's stale charge of sub-2"},
		{"a refusal of what was not stale", []attempt{a1, b2}, []attempt{a2}, "alice's stale charge of sub-2"},
	} {
		problems := audit(test.charges, test.refusals, []item{one, two}, stale)
		switch {
		case test.want == "" && len(problems) > 0, test.want != "" && len(problems) != 1:
			t.Errorf("%s: found %q; want %q", test.name, problems, test.want)
		case test.want != "" && !strings.Contains(problems[0], test.want):
			t.Errorf("%s: found %q; want %q", test.name, problems, test.want)
		}
	}
}
