package main

import (
	"fmt"
	"testing"
)

func TestJobsStayWhereTheyAreAndAreSpreadEvenly(t *testing.T) {
	var jobs []string
	for i := range 8 {
		jobs = append(jobs, fmt.Sprint("job-", i))
	}
	moved := func(a, b assignment) (n int) {
		for job, m := range b {
			if old, ok := a[job]; ok && old != m {
				n++
			}
		}
		return n
	}
	if got := plan(jobs, nil, nil); len(got) != 0 {
		t.Errorf("without members: %v", got)
	}
	two := plan(jobs, nil, []int64{1, 2})
	three := plan(jobs, two, []int64{1, 2, 3})
	again := plan(jobs, three, []int64{1, 3}) // 2 has died
	for i, c := range []struct {
		a         assignment
		members   int
		from      assignment
		mostMoved int
	}{{two, 2, nil, 0}, {three, 3, two, 2}, {again, 2, three, 3}, {plan(jobs, again, []int64{3, 1}), 2, again, 0}} {
		load := map[int64]int{}
		for _, m := range c.a {
			load[m]++
		}
		for m, n := range load {
			if n < 8/c.members || n > (8+c.members-1)/c.members {
				t.Errorf("%d: member %d has %d jobs", i, m, n)
			}
		}
		if len(c.a) != 8 || moved(c.from, c.a) > c.mostMoved {
			t.Errorf("%d: %v after %v", i, c.a, c.from)
		}
	}
	if got := decode(two.encode()); !got.same(two) || len(decode([]byte("nonsense"))) != 0 {
		t.Errorf("read as %v", got)
	}
}
