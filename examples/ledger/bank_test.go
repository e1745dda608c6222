package main

import (
	"path/filepath"
	"testing"
)

// open opens a new bank with a fence.
func open(t *testing.T) *bank {
	t.Helper()
	b, err := openBank(filepath.Join(t.TempDir(), "bank.db"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// take looks at an account with a token, and returns the write that moves an amount from it to the
// next.
func take(t *testing.T, b *bank, token int64, from, amount int) (write func() error) {
	t.Helper()
	x, y, err := b.look(token, from, from+1)
	if err != nil {
		t.Fatal(err)
	}
	return func() error { return b.write(token, map[int]int{from: x - amount, from + 1: y + amount}) }
}

// One teller is paused between its look and its write, and loses the lock. It goes on when the next
// has looked, and before that has written. If both wrote, the second would undo a half of what the
// first has done.
func TestAWriteOfAnEarlierHolderIsRefusedOnceTheNextHasLooked(t *testing.T) {
	b := open(t)
	earlier := take(t, b, 5, 0, 10)
	next := take(t, b, 9, 1, 10)
	if err := earlier(); err != errStale {
		t.Errorf("the earlier holder's write: %v; want %v", err, errStale)
	}
	if _, _, err := b.look(5, 0, 1); err != errStale {
		t.Errorf("the earlier holder's look: %v; want %v", err, errStale)
	}
	if err := next(); err != nil {
		t.Errorf("the next holder's write: %v", err)
	}
	if total, moves, refused, err := b.sum(); total != accounts*beginning || moves != 1 || refused != 2 || err != nil {
		t.Errorf("there are %d after %d moves, %d refused (%v); want %d, 1 and 2", total, moves, refused, err, accounts*beginning)
	}
}

// As long as the next has not looked, a late write does no harm: the next sees it.
func TestALateWriteIsSeenByTheNextHolder(t *testing.T) {
	b := open(t)
	if err := take(t, b, 5, 0, 10)(); err != nil {
		t.Error(err)
	}
	if err := take(t, b, 9, 1, 10)(); err != nil {
		t.Error(err)
	}
	if x, y, err := b.look(9, 1, 2); x != beginning || y != beginning+10 || err != nil {
		t.Errorf("the accounts have %d and %d (%v)", x, y, err)
	}
}
