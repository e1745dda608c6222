package main

import (
	"slices"
	"syscall"
	"testing"
)

func TestAWriterBecomesAReader(t *testing.T) {
	e := servers(t)
	writer := start(t, e, "writer", "-recipe", "write")
	first := writer.wait("acquired")
	reader := start(t, e, "reader", "-recipe", "read")
	reader.node(e) // it stands in line
	next := start(t, e, "next", "-recipe", "write")
	next.node(e)
	writer.Send("downgrade")
	released, downgraded := writer.wait("released"), writer.wait("downgraded")
	if released.Token != first.Token || downgraded.Token != first.Token ||
		downgraded.Deadline <= downgraded.T {
		t.Errorf("released: %+v, downgraded: %+v; want token %d", released, downgraded, first.Token)
	}
	beside := reader.wait("acquired")
	reader.wait("beat")
	if l := writer.wait("beat"); l.Token != first.Token {
		t.Errorf("beat: %+v", l)
	}
	writer.Send("downgrade") // again
	writer.wait("error")
	reader.Send("release")
	reader.wait("released")
	writer.Send("release")
	last := writer.wait("released")
	if l := next.wait("acquired"); l.T < last.T || l.Token <= first.Token {
		t.Errorf("the next writer %+v, the readers until %+v", l, last)
	}
	if beside.T < released.T {
		t.Errorf("a reader at %d beside the writer until %d", beside.T, released.T)
	}
	next.Send("quit")
	next.leaves()
}

func TestAHolderReleasesWhenItIsAskedTo(t *testing.T) {
	for name, args := range map[string][]string{
		"lock":  {"-recipe", "lock"},
		"read":  {"-recipe", "read"},
		"write": {"-recipe", "write"},
		"set":   {"-path", "/" + t.Name() + "/a,/" + t.Name() + "/b"},
	} {
		t.Run(name, func(t *testing.T) {
			e := servers(t)
			alice := start(t, e, "alice", args...)
			first := alice.wait("acquired")
			alice.wait("beat")
			bob := start(t, e, "bob", args...)
			bob.wait("session")
			bob.Send("revoke")
			// Of a set, any of its locks may be the first. All have the token of one transaction.
			if l := alice.wait("revoked"); l.Token != first.Token || (l.Path == "") != (first.Path == "") {
				t.Errorf("revoked: %+v; want that of %+v", l, first)
			}
			if l := alice.wait("released"); l.Token != first.Token {
				t.Errorf("released: %+v", l)
			}
			bob.wait("acquired")
			bob.Send("resize 3")
			bob.wait("error")
			bob.Send("quit")
			bob.leaves()
		})
	}
}

// Each lock has a line of its own. A single contender waits for one of them.
func TestSeveralLocksAreHeldAtOnce(t *testing.T) {
	e := servers(t)
	a, b := "/"+t.Name()+"/a", "/"+t.Name()+"/b"
	both := start(t, e, "both", "-path", a+","+b)
	of := map[string]int64{}
	for range 2 {
		l := both.wait("acquired")
		of[l.Path] = l.Token
	}
	if len(of) != 2 || of[a] == 0 || of[b] == 0 {
		t.Fatalf("acquired: %v", of)
	}
	for range 2 {
		if l := both.wait("beat"); l.Token != of[l.Path] {
			t.Errorf("beat: %+v", l)
		}
	}
	one := start(t, e, "one", "-path", b)
	one.node(e) // it stands in line
	both.Send("downgrade")
	both.wait("error")
	both.Send("release")
	for range 2 {
		if l := both.wait("released"); l.Token != of[l.Path] {
			t.Errorf("released: %+v", l)
		}
	}
	if l := one.wait("acquired"); l.Path != "" || l.Token <= of[b] {
		t.Errorf("acquired: %+v", l)
	}
	one.Signal(syscall.SIGTERM)
	one.leaves()
}

// The lock that was lost has a reason, the other one was released.
func TestASetIsOverWhenOneOfItsLocksIsLost(t *testing.T) {
	e := servers(t)
	ctx, s := admin(t, e)
	a, b := "/"+t.Name()+"/a", "/"+t.Name()+"/b"
	both := start(t, e, "both", "-path", a+","+b, "-lease", "1s")
	both.wait("acquired")
	both.wait("acquired")
	names, _, err := s.Children(ctx, b)
	if err != nil || len(names) != 1 {
		t.Fatalf("children of %s: %q, %v", b, names, err)
	}
	if err := s.Delete(ctx, b+"/"+names[0], -1); err != nil {
		t.Fatal(err)
	}
	if l := both.wait("released"); l.Path != a {
		t.Errorf("released: %+v", l)
	}
	if l := both.wait("lost"); l.Path != b || l.Reason != "node deleted" {
		t.Errorf("lost: %+v", l)
	}
	both.Send("acquire")
	both.wait("acquired")
	both.Send("quit")
	both.leaves()
}

func TestSeveralPermitsAreHeldAtOnce(t *testing.T) {
	for name, slots := range map[string][]int{"-slots=true": {0, 1}, "-slots=false": nil} {
		t.Run(name, func(t *testing.T) {
			e := servers(t)
			args := []string{"-recipe", "semaphore", "-size", "2", name}
			alice := start(t, e, "alice", append(args, "-permits", "2")...)
			l := alice.wait("acquired")
			slices.Sort(l.SlotNumbers)
			if l.Permits != 2 || l.Slot != nil || !slices.Equal(l.SlotNumbers, slots) {
				t.Errorf("acquired: %+v", l)
			}
			bob := start(t, e, "bob", append(args, "-try", "-times", "1")...)
			bob.wait("busy")
			bob.leaves()
			alice.Send("quit")
			alice.leaves()
		})
	}
}

func TestTheNumberOfPermitsChanges(t *testing.T) {
	e := servers(t)
	args := []string{"-recipe", "semaphore", "-slots=false"}
	alice := start(t, e, "alice", append(args, "-size", "1")...)
	alice.wait("acquired")
	bob := start(t, e, "bob", append(args, "-size", "0")...) // as many as the path says
	bob.wait("waiting")
	alice.Send("resize 2")
	if l := alice.wait("resizing"); l.Size != 2 {
		t.Errorf("resizing: %+v", l)
	}
	if l := alice.wait("resized"); l.Size != 2 {
		t.Errorf("resized: %+v", l)
	}
	bob.wait("acquired")
	bob.Send("revoke") // nobody can be asked
	bob.wait("error")
	bob.Send("resize")
	bob.wait("error")
	bob.Send("resize 0")
	bob.wait("resizing")
	bob.wait("error")
	bob.Send("quit")
	bob.leaves()
	alice.Send("quit")
	alice.leaves()
}
