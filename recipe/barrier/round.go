package barrier

import (
	"regexp"
	"slices"
	"strings"
)

// The znode "ready" names those who are inside. The member that finds that all are there creates
// it, in one transaction that checks the znodes of all whom it names. So these znodes existed at
// one moment, and nobody else is counted in. "ready" is deleted when none of them is left. If all
// of them are killed, it stays. Later members see by its names that its round is over.
//
// A transaction relies on the list of names and on the data of "ready". Both have to be as they
// were read. The version of the path's data tells that: each transaction about "ready" sets these
// data, to the value that they have.

const (
	readyName = "ready"
	header    = "zkrecipe barrier 1\n"
	// memberName begins the last part of our members' names.
	memberName = "member-"
)

// isMember matches the names of members: ours, and those of Curator and of kazoo.
var isMember = regexp.MustCompile(`^(_c_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-` + memberName + `-?[0-9]{10}` +
	`|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$`).MatchString

// round is what "ready" says.
type round struct {
	names   []string // of the members that were counted in
	foreign bool     // made by another library: it names nobody
}

func parseRound(data []byte) round {
	rest, ok := strings.CutPrefix(string(data), header)
	if !ok {
		return round{foreign: true}
	}
	return round{names: strings.Fields(rest)}
}

func (r round) encode() []byte { return []byte(header + strings.Join(r.names, "\n") + "\n") }

// over reports whether none of the round is left among the members.
func (r round) over(members []string) bool {
	if r.foreign {
		return len(members) == 0
	}
	return !slices.ContainsFunc(r.names, func(name string) bool { return slices.Contains(members, name) })
}

// action is what a member that wants to enter has to do.
type action int

const (
	actWait     action = iota // too few are there
	actCount                  // all are there: create "ready"
	actIn                     // it is counted in
	actFull                   // a round without it is under way
	actDisagree               // it is counted into a round with another number of members
)

// decide tells what to do. own is our name, which is among the members. ready is the round that is
// there, or nil.
func decide(own string, members []string, ready *round, n int) action {
	switch {
	case ready != nil && slices.Contains(ready.names, own) && len(ready.names) != n:
		return actDisagree
	case ready != nil && (ready.foreign || slices.Contains(ready.names, own)):
		return actIn
	case ready != nil && !ready.over(members):
		return actFull
	case len(members) >= n:
		return actCount
	}
	return actWait
}

// choose returns n members, of which own is one: those that stand first, sorted.
func choose(own string, members []string, n int) []string {
	chosen := []string{own}
	for _, name := range slices.Sorted(slices.Values(members)) {
		if name != own && len(chosen) < n {
			chosen = append(chosen, name)
		}
	}
	slices.Sort(chosen)
	return chosen
}

// membersOf returns which names are those of members, and whether "ready" is among them.
func membersOf(names []string) (members []string, ready bool) {
	for _, name := range names {
		if isMember(name) {
			members = append(members, name)
		}
	}
	return members, slices.Contains(names, readyName)
}

// following returns the one of rest that comes after own in a circle. So members that wait for each
// other do not all watch the same one.
func following(own string, rest []string) string {
	rest = slices.Sorted(slices.Values(rest))
	for _, name := range rest {
		if name > own {
			return name
		}
	}
	return rest[0]
}
