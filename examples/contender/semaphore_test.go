package main

import "testing"

func TestPermitsHaveSlots(t *testing.T) {
	e := servers(t)
	args := []string{"-recipe", "semaphore", "-size", "2"}
	alice, bob := start(t, e, "alice", args...), start(t, e, "bob", args...)
	a, b := alice.wait("acquired"), bob.wait("acquired")
	if a.Slot == nil || b.Slot == nil || *a.Slot+*b.Slot != 1 {
		t.Fatalf("slots: %+v, %+v", a, b)
	}
	carol := start(t, e, "carol", args...)
	carol.wait("waiting")
	dave := start(t, e, "dave", append(args, "-try", "-times", "1")...)
	dave.wait("busy")
	alice.Send("release")
	if c := carol.wait("acquired"); *c.Slot != *a.Slot || c.Token <= a.Token {
		t.Errorf("acquired: %+v after %+v", c, a)
	}
	carol.Send("quit")
	carol.wait("released")
	carol.leaves()
}

// Without slots a permit is admitted by its rank alone.
func TestPermitsCanBeWithoutSlots(t *testing.T) {
	e := servers(t)
	args := []string{"-recipe", "semaphore", "-size", "2", "-slots=false"}
	alice, bob := start(t, e, "alice", args...), start(t, e, "bob", args...)
	a, b := alice.wait("acquired"), bob.wait("acquired")
	if a.Slot != nil || b.Slot != nil || a.Token == 0 || a.Token == b.Token {
		t.Fatalf("acquired: %+v, %+v", a, b)
	}
	busy := start(t, e, "busy", append(args, "-try", "-times", "1")...)
	busy.wait("busy")
	busy.leaves()
	carol := start(t, e, "carol", args...)
	carol.wait("waiting")
	bob.Send("release")
	if c := carol.wait("acquired"); c.Slot != nil || c.Token <= max(a.Token, b.Token) {
		t.Errorf("acquired: %+v", c)
	}
	carol.Send("quit")
	carol.leaves()
}
