package line

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Style is what comes before the sequence number in the names of a recipe's znodes.
type Style string

// The styles of other libraries, so that their candidates and ours can stand in one line.
const (
	// Latch is the style of Curator's LeaderLatch.
	Latch Style = "latch-"
	// Lock is the style of Curator's LeaderSelector and InterProcessMutex, and of zk.Lock.
	Lock Style = "lock-"
	// Kazoo is the style of kazoo's Lock, WriteLock and Election, which look at the end of a name
	// only.
	Kazoo Style = "__lock__"
	// Permit is the style of the leases of Curator's InterProcessSemaphoreV2.
	Permit Style = "lease-"
	// Write and Read are the styles of Curator's InterProcessReadWriteLock.
	Write Style = "__WRIT__"
	Read  Style = "__READ__"
	// KazooRead is the style of kazoo's ReadLock.
	KazooRead Style = "__rlock__"
)

// shared reports whether the place may be held beside others of its kind: it is a reader's.
func (s Style) shared() bool { return s == Read || s == KazooRead }

// Name is the name of a znode that stands in the line.
type Name struct {
	// Full is the whole name, without a path.
	Full string
	// Seq is the sequence number at its end.
	Seq int32
	// Shared: it is a reader's, which may hold beside other readers.
	Shared bool
	// Czxid is the zxid of the znode's creation, where it is known: see Order.
	Czxid int64

	downgrades   bool // its holder may become a reader with the same number
	afterReaders bool // for a reader: other readers stand before this writer
	gone         bool // it has gone since it was listed: see order
}

// Parse reads the name of a child of the path. It is not ok for a child that does not stand in the
// line. The names of these styles do, from any library:
//
//	_c_<GUID>-latch-<sequence>    Curator LeaderLatch, ours
//	_c_<GUID>-lock-<sequence>     Curator LeaderSelector and InterProcessMutex, zk.Lock, ours
//	latch-<sequence>              the same without Curator's protection
//	lock-<sequence>
//	_c_<GUID>-lease-<sequence>    Curator InterProcessSemaphoreV2, ours
//	lease-<sequence>
//	<GUID>__lock__<sequence>      kazoo Lock and Election
//	_c_<GUID>-__lock__<sequence>  ours in a line with kazoo's
//	_c_<GUID>-__WRIT__<sequence>  a writer: Curator InterProcessReadWriteLock, ours
//	_c_<GUID>-__READ__<sequence>  a reader: the same
//	<GUID>__rlock__<sequence>     a reader: kazoo ReadLock; ours with the prefix of Curator
//
// The server formats the sequence with %010d: ten digits, or a minus and nine or ten.
func Parse(name string) (n Name, ok bool) {
	for _, width := range []int{10, 11} {
		at := len(name) - width
		if at < 0 {
			continue
		}
		style, ok := styleOf(name[:at])
		if !ok {
			continue
		}
		number := name[at:]
		if number[0] == '+' || width == 11 && (number[0] != '-' || number[1] == '0') {
			continue
		}
		if seq, err := strconv.ParseInt(number, 10, 32); err == nil { // else it is more than the server's counter can hold
			downgrades := style == Write || style == Kazoo && Ours(name)
			return Name{Full: name, Seq: int32(seq), Shared: style.shared(), downgrades: downgrades}, true
		}
	}
	return Name{}, false
}

// styleOf returns the style of a name that goes like this before its sequence. It is written by
// hand: a regular expression would take most of the time of joining a long line.
func styleOf(stem string) (style Style, ok bool) {
	for _, style := range []Style{Kazoo, KazooRead} {
		if before, ok := strings.CutSuffix(stem, string(style)); ok {
			return style, isProtection(before) || len(before) == 32 && strings.Trim(before, "0123456789abcdef") == ""
		}
	}
	for _, style := range []Style{Latch, Lock, Permit, Write, Read} {
		if before, ok := strings.CutSuffix(stem, string(style)); ok {
			return style, before == "" || isProtection(before)
		}
	}
	return "", false
}

// isProtection reports whether s is what Curator's protection puts before a name.
func isProtection(s string) bool {
	guid, begins := strings.CutPrefix(s, "_c_")
	guid, ends := strings.CutSuffix(guid, "-")
	return begins && ends && len(guid) >= 32 && len(guid) <= 36 && strings.Trim(guid, "0123456789abcdefABCDEF-") == ""
}

// Ours reports whether a name says that its candidate keeps the rules of this package: it has a
// UUID of version 8, as [session.Session.CreatePlace] writes it.
func Ours(name string) bool {
	guid, ok := strings.CutPrefix(name, "_c_")
	const dashed = 36
	return ok && len(guid) > dashed && guid[dashed] == '-' &&
		guid[8] == '-' && guid[13] == '-' && guid[14] == '8' && guid[18] == '-' && guid[23] == '-'
}

// Compare orders two names by their places in the line: by sequence number, or by age, if that is
// known and the server has no numbers left. When a writer becomes a reader, its number is there
// twice for a moment. The reader's znode is young, but its place is right after the writer, before
// all others. So age says nothing about a reader that has a number. There, a small number comes
// after a negative one that is near, and before one that is far: an old server counts up to
// 2147483647, then from -2147483648 to -1, and then from 0 again.
func Compare(a, b Name) int {
	x, y := number(a), number(b)
	aged := a.Czxid != 0 && b.Czxid != 0
	crossed := aged && (a.Seq < 0) != (b.Seq < 0)
	switch {
	case crossed && !a.Shared && !b.Shared:
		return cmp.Compare(a.Czxid, b.Czxid)
	case crossed && max(int64(a.Seq)-int64(b.Seq), int64(b.Seq)-int64(a.Seq)) < far:
		return cmp.Compare(a.Seq, b.Seq)
	case x != y:
		return cmp.Compare(x, y)
	case x != noNumber && a.Shared != b.Shared:
		if b.Shared {
			return -1
		}
		return 1
	case aged:
		return cmp.Compare(a.Czxid, b.Czxid)
	}
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), strings.Compare(a.Full, b.Full))
}

// Sort picks the names that stand in the line out of a list of children and puts them in order,
// first to last.
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

// Ambiguous reports whether the numbers of a sorted list do not tell the order. The server counts
// in 32 bits. After 2147483647 a server before 3.6 goes on with negative numbers; a newer one gives
// that number to everybody, now and then a negative one when several are created at once (seen on
// 3.8.0).
func Ambiguous(sorted []Name) bool {
	for i, n := range sorted {
		if n.Seq < 0 || n.Seq == math.MaxInt32 || i > 0 && n.Seq == sorted[i-1].Seq && n.Shared == sorted[i-1].Shared {
			return true
		}
	}
	return false
}

// Twin reports whether a list has another znode with the number of me, which somebody has copied
// from another path. Nobody may hold by such a number: when the holder's znode is gone, others
// would take the copy for it.
func Twin(me string, names []Name) bool {
	own, _ := Parse(me)
	return number(own) != noNumber &&
		slices.ContainsFunc(names, func(n Name) bool { return n.Full != me && number(n) == number(own) })
}

// Ahead returns who stands before the name me in a sorted list, first to last. It is not ok when me
// is not in the list, or has gone: then the list tells nothing about our place.
func Ahead(me string, sorted []Name) (ahead []Name, ok bool) {
	i := slices.IndexFunc(sorted, func(n Name) bool { return n.Full == me && !n.gone })
	if i < 0 {
		return nil, false
	}
	return slices.Clone(sorted[:i]), true // those behind are not kept in memory
}
