package session

import (
	"testing"
	"time"
)

func TestBeatsAreCountedByHowLongTheyTook(t *testing.T) {
	for took, first := range map[time.Duration]int{
		-1: 0, 0: 0, time.Millisecond: 0,
		time.Millisecond + 1: 1, 2 * time.Millisecond: 1,
		2*time.Millisecond + 1:  2,
		4096 * time.Millisecond: 12, 4096*time.Millisecond + 1: 13, time.Hour: 13,
	} {
		var c counts
		c.beaten(took)
		got := c.read()
		if got.Beats != 1 || got.BeatTime != max(took, 0) {
			t.Errorf("%v: %d beats that took %v", took, got.Beats, got.BeatTime)
		}
		for i, n := range got.BeatsWithin {
			if (n == 1) != (i >= first) || (n == 1) != (took <= time.Millisecond<<i) {
				t.Errorf("%v: %d within %v", took, n, time.Millisecond<<i)
			}
		}
	}
}

func TestCountingABeatAllocatesNothing(t *testing.T) {
	var c counts
	if n := testing.AllocsPerRun(100, func() { c.beaten(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
