package line

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is what the path of a line holds: how long a lease may be in it, and which numbers are
// over, so that nobody waits for their leases. As text:
//
//	zkrecipe line 1
//	lease 4s
//	settled 17
//	left 19 22-30
type record struct {
	// lease is the longest that is allowed in the line.
	lease time.Duration
	// settled: no znode with a smaller number is held any more. Only a candidate that has led
	// says so, when it leaves.
	settled int64
	// left are numbers from settled on whose candidates left without having led. Each candidate
	// adds its own.
	left []span
}

// A span is the numbers from first to last.
type span struct{ first, last int64 }

const (
	recordHead = "zkrecipe line 1"
	// maxSpans bounds a record. What does not fit is forgotten, so that somebody may wait.
	maxSpans = 100
)

// String returns the record as the path holds it.
func (r record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nlease %v\nsettled %d\n", recordHead, r.lease, r.settled)
	if len(r.left) > 0 {
		b.WriteString("left")
		for _, s := range r.left {
			fmt.Fprintf(&b, " %d", s.first)
			if s.last > s.first {
				fmt.Fprintf(&b, "-%d", s.last)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parseRecord reads a record. It is not ok if the data are somebody else's.
func parseRecord(data []byte) (r record, ok bool) {
	text, found := strings.CutPrefix(string(data), recordHead+"\n")
	if !found {
		return record{}, false
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var err error
		switch key {
		case "lease":
			r.lease, err = time.ParseDuration(value)
		case "settled":
			r.settled, err = parseNumber(value)
		case "left":
			r.left, err = parseSpans(value)
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return record{}, false
		}
	}
	return r, r.lease > 0
}

func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || n > math.MaxInt32) {
		err = strconv.ErrRange
	}
	return n, err
}

func parseSpans(s string) (spans []span, err error) {
	for _, word := range strings.Fields(s) {
		first, last, isRange := strings.Cut(word, "-")
		var x span
		if x.first, err = parseNumber(first); err != nil {
			return nil, err
		}
		x.last = x.first
		if isRange {
			if x.last, err = parseNumber(last); err != nil {
				return nil, err
			}
		}
		if x.last < x.first || len(spans) > 0 && x.first <= spans[len(spans)-1].last {
			return nil, strconv.ErrRange
		}
		spans = append(spans, x)
	}
	return spans, nil
}

// over reports whether a znode with this number is not held any more.
func (r record) over(n int64) bool {
	return n < r.settled || slices.ContainsFunc(r.left, func(s span) bool { return s.first <= n && n <= s.last })
}

// settle returns the record that the candidate with number n leaves behind: it has led, and so
// have all before it, or they never will.
func (r record) settle(n int64) record {
	r.settled = max(r.settled, n+1)
	r.left = slices.DeleteFunc(slices.Clone(r.left), func(s span) bool { return s.last < r.settled })
	return r
}

// leave returns the record with number n among those that left.
func (r record) leave(n int64) record {
	if r.over(n) {
		return r
	}
	i, _ := slices.BinarySearchFunc(r.left, n, func(s span, n int64) int { return int(s.first - n) })
	r.left = slices.Insert(slices.Clone(r.left), i, span{n, n})
	for _, j := range []int{i, i - 1} { // join it with what follows, then with what comes before
		if j >= 0 && j+1 < len(r.left) && r.left[j].last+1 == r.left[j+1].first {
			r.left[j].last = r.left[j+1].last
			r.left = slices.Delete(r.left, j+1, j+2)
		}
	}
	if len(r.left) > maxSpans {
		r.left = r.left[len(r.left)-maxSpans:]
	}
	return r
}

// complete reports whether every number below own is over or listed: then no holder has
// vanished unseen before the list was made.
func (r record) complete(own int64, listed []Name) bool {
	seen := map[int64]bool{}
	for _, n := range listed {
		if s := int64(n.Seq); s >= r.settled && s < own && !r.over(s) {
			seen[s] = true
		}
	}
	missing := max(own-r.settled, 0) - int64(len(seen))
	for _, s := range r.left {
		missing -= max(min(s.last, own-1)-max(s.first, r.settled)+1, 0)
	}
	return missing <= 0
}
