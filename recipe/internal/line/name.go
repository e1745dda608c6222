package line

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
)

// Style is what comes before the sequence number in the names of a recipe's znodes.
type Style string

// The styles of Apache Curator, so that its candidates and ours can stand in one line.
const (
	// Latch is the style of Curator's LeaderLatch.
	Latch Style = "latch-"
	// Lock is the style of Curator's LeaderSelector and InterProcessMutex, and of zk.Lock.
	Lock Style = "lock-"
)

// Name is the name of a znode that stands in the line.
type Name struct {
	// Full is the whole name, without a path.
	Full string
	// Seq is the sequence number at its end. The server counts in 32 bits. After
	// 2147483647 servers before 3.6 go on with negative numbers; newer ones give that same
	// number to everybody from then on.
	Seq int32
	// Czxid tells names with the same number apart: the older znode stands first. It is
	// known only where there are such names.
	Czxid int64
}

// contender matches every style that is honoured in the line, whoever wrote it:
//
//	_c_<GUID>-latch-<sequence>  Curator LeaderLatch, ours
//	_c_<GUID>-lock-<sequence>   Curator LeaderSelector and InterProcessMutex, zk.Lock, ours
//	latch-<sequence>            the same without Curator's protection
//	lock-<sequence>
//	<GUID>__lock__<sequence>    kazoo Lock and Election
//
// The server formats the sequence with %010d: ten digits, or a minus and nine or ten.
var contender = regexp.MustCompile(`^(?:(?:_c_[0-9a-fA-F-]{32,36}-)?(?:latch-|lock-)|[0-9a-f]{32}__lock__)(\d{10}|-\d{9}|-[12]\d{9})$`)

// Parse reads the name of a child of the path. It is not ok for a child that does not
// stand in the line.
func Parse(name string) (n Name, ok bool) {
	m := contender.FindStringSubmatch(name)
	if m == nil {
		return Name{}, false
	}
	seq, err := strconv.ParseInt(m[1], 10, 32)
	if err != nil {
		return Name{}, false // more than the server's counter can hold
	}
	return Name{Full: name, Seq: int32(seq)}, true
}

// Compare orders two names by their places in the line. Sequence numbers may wrap
// around, so it is the sign of the 32-bit difference that counts: right as long as the
// line spans less than 2^31 numbers. Equal numbers are ordered by age.
func Compare(a, b Name) int {
	if d := a.Seq - b.Seq; d != 0 {
		return cmp.Compare(d, 0)
	}
	return cmp.Or(cmp.Compare(a.Czxid, b.Czxid), cmp.Compare(a.Full, b.Full))
}

// Sort picks the names that stand in the line out of a list of children and puts them
// in order, first to last.
func Sort(children []string) []Name {
	var names []Name
	for _, c := range children {
		if n, ok := Parse(c); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, Compare)
	return names
}

// Ties returns the names that share their number with another, out of a sorted list:
// those whose Czxid must be known to put them in order.
func Ties(sorted []Name) (ties []Name) {
	for i, n := range sorted {
		if i > 0 && sorted[i-1].Seq == n.Seq || i+1 < len(sorted) && sorted[i+1].Seq == n.Seq {
			ties = append(ties, n)
		}
	}
	return ties
}

// Ahead returns who stands before the name me in a sorted list, first to last. It is not ok
// when me is not in the list: then the list tells nothing about our place.
func Ahead(me string, sorted []Name) (ahead []Name, ok bool) {
	i := slices.IndexFunc(sorted, func(n Name) bool { return n.Full == me })
	if i < 0 {
		return nil, false
	}
	return sorted[:i:i], true
}
