package line

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Numbers are the numbers of a line whose znodes are not held any more, so that nobody waits for
// their leases. It is a value: its methods change nothing and return another.
type Numbers struct {
	// Settled: all smaller numbers are over.
	Settled int64
	// Left are numbers from Settled on that are over, in order. They do not touch each other.
	Left []Span
}

// A Span is the numbers from First to Last.
type Span struct{ First, Last int64 }

// maxSpans bounds the record of a line. What does not fit is forgotten, so that somebody may wait.
const maxSpans = 100

// String returns the numbers as a record has them: the lines "settled" and, where there are any,
// "left".
func (x Numbers) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "settled %d\n", x.Settled)
	if len(x.Left) > 0 {
		b.WriteString("left")
		for _, s := range x.Left {
			fmt.Fprintf(&b, " %d", s.First)
			if s.Last > s.First {
				fmt.Fprintf(&b, "-%d", s.Last)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Read takes in a line of a record. It is not known if it is about something else.
func (x *Numbers) Read(key, value string) (known bool, err error) {
	switch key {
	case "settled":
		x.Settled, err = parseNumber(value)
	case "left":
		x.Left, err = parseSpans(value)
	default:
		return false, nil
	}
	return true, err
}

func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || n > math.MaxInt32) {
		err = strconv.ErrRange
	}
	return n, err
}

func parseSpans(s string) (spans []Span, err error) {
	for _, word := range strings.Fields(s) {
		first, last, isRange := strings.Cut(word, "-")
		var x Span
		if x.First, err = parseNumber(first); err != nil {
			return nil, err
		}
		x.Last = x.First
		if isRange {
			if x.Last, err = parseNumber(last); err != nil {
				return nil, err
			}
		}
		if x.Last < x.First || len(spans) > 0 && x.First <= spans[len(spans)-1].Last {
			return nil, strconv.ErrRange
		}
		spans = append(spans, x)
	}
	return spans, nil
}

// Over reports whether a znode with this number is not held any more.
func (x Numbers) Over(n int64) bool {
	return n < x.Settled || slices.ContainsFunc(x.Left, func(s Span) bool { return s.First <= n && n <= s.Last })
}

// Add returns the numbers with those from first to last among them.
func (x Numbers) Add(first, last int64) Numbers {
	if last < first {
		return x
	}
	if first <= x.Settled {
		x.Settled = max(x.Settled, last+1)
	}
	add, left := Span{first, last}, make([]Span, 0, len(x.Left)+1)
	for _, s := range x.Left {
		switch {
		case s.First <= x.Settled: // settled by now, or all before it are
			x.Settled = max(x.Settled, s.Last+1)
		case s.Last+1 < add.First:
			left = append(left, s)
		case add.Last+1 < s.First:
			left, add = append(left, add), s
		default: // they touch
			add = Span{min(s.First, add.First), max(s.Last, add.Last)}
		}
	}
	if add.First > x.Settled {
		left = append(left, add)
	}
	x.Left = left
	return x
}

// Bound returns the numbers in so many spans at most. The oldest are forgotten.
func (x Numbers) Bound(most int) Numbers {
	x.Left = x.Left[max(len(x.Left)-most, 0):]
	return x
}

// Missing returns how many numbers below own are neither over nor listed. Their holders may have
// vanished unseen before the list was made.
func (x Numbers) Missing(own int64, listed []Name) int64 {
	seen := map[int64]bool{}
	for _, n := range listed {
		if s := int64(n.Seq); s >= x.Settled && s < own && !x.Over(s) {
			seen[s] = true
		}
	}
	missing := max(own-x.Settled, 0) - int64(len(seen))
	for _, s := range x.Left {
		missing -= max(min(s.Last, own-1)-max(s.First, x.Settled)+1, 0)
	}
	return max(missing, 0)
}
