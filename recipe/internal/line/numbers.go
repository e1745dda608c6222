package line

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"
)

// FirstRecord returns the first data of a path for a line in which leases may be that long.
func FirstRecord(lease time.Duration) []byte { return []byte(record{lease: lease}.String()) }

// NoNumber is the number of a name that tells nothing: the server has none left.
const NoNumber = noNumber

// NumberOf returns the number in a name, or NoNumber.
func NumberOf(n Name) int64 { return number(n) }

// Numbers are the numbers of a line that are over, for the record of a line and for recipes that
// have a record of their own. It is a value: Add and Bound change nothing and return another.
type Numbers struct {
	// path identifies the path to which the numbers belong, as At writes it. It is "" before the
	// first number is over. If somebody has copied the record from another path, its numbers tell
	// nothing here.
	path string
	// settled: no znode with a smaller number is held any more. In a line, only a candidate that
	// has led says so, when it leaves.
	settled int64
	// left are numbers from settled on that are over, in order. In a line, their candidates left
	// without having led, and each has added its own.
	left []span
}

// String returns the lines of a record.
func (x Numbers) String() string {
	var b []byte
	if x.path != "" {
		b = append(append(append(b, "path "...), x.path...), '\n')
	}
	b = append(strconv.AppendInt(append(b, "settled "...), x.settled, 10), '\n')
	if len(x.left) > 0 {
		b = append(b, "left"...)
		for _, s := range x.left {
			b = strconv.AppendInt(append(b, ' '), s.first, 10)
			if s.last > s.first {
				b = strconv.AppendInt(append(b, '-'), s.last, 10)
			}
		}
		b = append(b, '\n')
	}
	return string(b)
}

// Read takes in a line of a record. known is false if the line is about something else.
func (x *Numbers) Read(key, value string) (known bool, err error) {
	switch key {
	case "path":
		x.path = value
	case "settled":
		x.settled, err = parseNumber(value)
	case "left":
		x.left, err = parseSpans(value)
	default:
		return false, nil
	}
	return true, err
}

// At returns the numbers for the path with that Stat. If they belong to another path, it returns
// none.
func (x Numbers) At(stat zk.Stat) (at Numbers, same bool) {
	// Two ensembles may have the same czxid, but hardly with the same time.
	id := strconv.FormatInt(stat.Czxid, 16) + "-" + strconv.FormatInt(stat.Ctime, 16)
	if x.path == id {
		return x, true
	}
	return Numbers{path: id}, false
}

// IsZero reports whether there are no numbers, and no path to which they belong. That is so in a
// first record.
func (x Numbers) IsZero() bool { return x.path == "" && x.settled == 0 && len(x.left) == 0 }

// Over reports whether a znode with this number is not held any more.
func (x Numbers) Over(n int64) bool {
	return n < x.settled || slices.ContainsFunc(x.left, func(s span) bool { return s.first <= n && n <= s.last })
}

// far is a distance between two numbers that cannot arise while a place waits, unless the server
// counts through the numbers once more.
const far = 1 << 30

// Tell reports whether the numbers that are over tell anything to the one that has the number own.
// They tell nothing if own is noNumber. They tell nothing either if the server counts through the
// same numbers once more. Then own is over already, or a number is over that is far larger.
func (x Numbers) Tell(own int64) bool {
	last := x.settled - 1
	if n := len(x.left); n > 0 {
		last = x.left[n-1].last
	}
	return own != noNumber && !x.Over(own) && last-own < far
}

// Fit reports whether the numbers are in so many spans at most.
func (x Numbers) Fit(most int) bool { return len(x.left) <= most }

// Add returns the numbers with those from first to last among them.
func (x Numbers) Add(first, last int64) Numbers {
	if last < first {
		return x
	}
	i, _ := slices.BinarySearchFunc(x.left, first, func(s span, n int64) int { return cmp.Compare(s.first, n) })
	spans := slices.Insert(slices.Clone(x.left), i, span{first, last})
	x.left = make([]span, 0, len(spans))
	for _, s := range spans {
		switch n := len(x.left); {
		case s.first <= x.settled:
			x.settled = max(x.settled, s.last+1)
		case n > 0 && s.first <= x.left[n-1].last+1: // they touch
			x.left[n-1].last = max(x.left[n-1].last, s.last)
		default:
			x.left = append(x.left, s)
		}
	}
	return x
}

// Bound returns the numbers in so many spans at most. The oldest are forgotten.
func (x Numbers) Bound(most int) Numbers {
	x.left = slices.Clone(x.left[max(len(x.left)-most, 0):])
	return x
}

// Missing returns how many numbers below own are neither over nor listed. Their holders may have
// vanished unseen before the list was made.
func (x Numbers) Missing(own int64, listed []Name) int64 {
	seen := map[int64]bool{}
	for _, n := range listed {
		if s := int64(n.Seq); s >= x.settled && s < own && !x.Over(s) {
			seen[s] = true
		}
	}
	missing := max(own-x.settled, 0) - int64(len(seen))
	for _, s := range x.left {
		missing -= max(min(s.last, own-1)-max(s.first, x.settled)+1, 0)
	}
	return max(missing, 0)
}
