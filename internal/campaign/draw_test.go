//go:build linux

package campaign

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestARoundDrawsTimesThatServersAndSessionsAllow(t *testing.T) {
	drawn := map[time.Duration]map[time.Duration]bool{}
	for seed := range uint64(200) {
		var all [2]Round
		for i := range all {
			all[i].rng = rand.New(rand.NewPCG(seed, 1))
			all[i].draw()
		}
		T, D := all[0].T, all[0].lease
		if T != all[1].T || D != all[1].lease {
			t.Errorf("seed %d: T = %v and D = %v, then T = %v and D = %v", seed, T, D, all[1].T, all[1].lease)
		}
		if T < 2*tick || T >= syncLimit*tick || D < 200*time.Millisecond || D > T/2 {
			t.Errorf("seed %d: T = %v, D = %v", seed, T, D)
		}
		if drawn[T] == nil {
			drawn[T] = map[time.Duration]bool{}
		}
		drawn[T][D] = true
	}
	if !drawn[2*tick][200*time.Millisecond] || !drawn[8*tick][4*tick] {
		t.Errorf("drawn were %v; want the shortest and the longest among them", drawn)
	}
}

func TestPermitsHaveSlotsInSomeRoundsAsTheSeedSays(t *testing.T) {
	with := map[bool]int{}
	for seed := range uint64(200) {
		var all [2]Round
		for i := range all {
			all[i].rng = rand.New(rand.NewPCG(seed, 1))
			all[i].drawSlots()
		}
		if all[0].slots != all[1].slots {
			t.Errorf("seed %d: two rounds differ", seed)
		}
		with[all[0].slots]++
	}
	if with[true] < 50 || with[false] < 50 {
		t.Errorf("with slots and without: %v", with)
	}
}
