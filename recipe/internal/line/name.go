package line

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
)

// Style is what comes before the sequence number in the names of a recipe's znodes.
type Style string

// The styles of other libraries, so that their candidates and ours can stand in one line.
const (
	// Latch is the style of Curator's LeaderLatch.
	Latch Style = "latch-"
	// Lock is the style of Curator's LeaderSelector and InterProcessMutex, and of zk.Lock.
	Lock Style = "lock-"
	// Kazoo is the style of kazoo's Lock and Election, which look at the end of a name only.
	Kazoo Style = "__lock__"
)

// Name is the name of a znode that stands in the line.
type Name struct {
	// Full is the whole name, without a path.
	Full string
	// Seq is the sequence number at its end.
	Seq int32
	// Czxid is the zxid of the znode's creation, where it is known: see Order.
	Czxid int64
}

// contender matches every style that is honoured in the line, whoever wrote it:
//
//	_c_<GUID>-latch-<sequence>    Curator LeaderLatch, ours
//	_c_<GUID>-lock-<sequence>     Curator LeaderSelector and InterProcessMutex, zk.Lock, ours
//	latch-<sequence>              the same without Curator's protection
//	lock-<sequence>
//	<GUID>__lock__<sequence>      kazoo Lock and Election
//	_c_<GUID>-__lock__<sequence>  ours in a line with kazoo's
//
// The server formats the sequence with %010d: ten digits, or a minus and nine or ten.
var contender = regexp.MustCompile(`^(?:(?:_c_[0-9a-fA-F-]{32,36}-)?(?:latch-|lock-)|(?:_c_[0-9a-fA-F-]{32,36}-|[0-9a-f]{32})__lock__)(\d{10}|-\d{9}|-[12]\d{9})$`)

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

// Compare orders two names by their places in the line: by age, or by sequence number
// where the age of either is not known.
func Compare(a, b Name) int {
	if a.Czxid != 0 && b.Czxid != 0 {
		return cmp.Compare(a.Czxid, b.Czxid)
	}
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Full, b.Full))
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

// Ambiguous reports whether the numbers of a sorted list do not tell the order. The
// server counts in 32 bits. After 2147483647 a server before 3.6 goes on with negative
// numbers; a newer one gives that number to everybody, now and then a negative one when
// several are created at once (seen on 3.8.0).
func Ambiguous(sorted []Name) bool {
	for i, n := range sorted {
		if n.Seq < 0 || n.Seq == math.MaxInt32 || i > 0 && n.Seq == sorted[i-1].Seq {
			return true
		}
	}
	return false
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
