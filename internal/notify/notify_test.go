package notify

import "testing"

func TestASignalIsKeptOnceUntilItIsTaken(t *testing.T) {
	c := make(chan struct{}, 1)
	Signal(c)
	Signal(c)
	if len(c) != 1 {
		t.Errorf("%d signals", len(c))
	}
	<-c
	Signal(c)
	<-c
}

func TestAChangeIsToldToAllWhoWait(t *testing.T) {
	var c Change
	c.Tell() // to nobody
	first, second := c.Next(), c.Next()
	select {
	case <-first:
		t.Error("told of a change before it asked")
	default:
	}
	c.Tell()
	<-first
	<-second
	select {
	case <-c.Next():
		t.Error("told of a change before it asked")
	default:
	}
}
