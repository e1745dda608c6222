package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// An assignment says which member has each job. It names the member's znode by its token: a member
// that comes back has another one, and has lost its jobs.
type assignment map[string]int64

// plan hands out the jobs. A job stays with its member as long as that is listed. The others go to
// the one that has the fewest, and one that has two more than another gives one away.
func plan(jobs []string, now assignment, members []int64) assignment {
	next, load := assignment{}, map[int64][]string{}
	if len(members) == 0 {
		return next
	}
	for _, m := range members {
		load[m] = nil
	}
	give := func(job string, to int64) {
		next[job] = to
		load[to] = append(load[to], job)
	}
	var free []string
	for _, job := range jobs {
		if m, ok := now[job]; ok && slices.Contains(members, m) {
			give(job, m)
		} else {
			free = append(free, job)
		}
	}
	byLoad := func(a, b int64) int { return cmp.Or(cmp.Compare(len(load[a]), len(load[b])), cmp.Compare(a, b)) }
	for _, job := range free {
		give(job, slices.MinFunc(members, byLoad))
	}
	for {
		least, most := slices.MinFunc(members, byLoad), slices.MaxFunc(members, byLoad)
		if len(load[most])-len(load[least]) < 2 {
			return next
		}
		last := len(load[most]) - 1
		job := load[most][last]
		load[most] = load[most][:last]
		give(job, least)
	}
}

func (a assignment) encode() []byte {
	data, err := json.Marshal(a)
	if err != nil {
		panic("bug: " + err.Error()) // a map of strings and numbers
	}
	return data
}

// decode reads what the znode holds. Nonsense is no assignment.
func decode(data []byte) assignment {
	a := assignment{}
	if json.Unmarshal(data, &a) != nil {
		return assignment{}
	}
	return a
}

func (a assignment) same(b assignment) bool { return maps.Equal(a, b) }
