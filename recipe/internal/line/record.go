package line

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// record is what the path of a line holds: how long a lease may be in it, and which numbers are
// over, so that nobody waits for their leases. It also has the path's czxid and ctime, because in
// another path the same numbers belong to others. As text:
//
//	zkrecipe line 1
//	lease 4s
//	path 500000012-18b3d2a4c10
//	settled 17
//	left 19 22-30
//
// A later release may add lines, or raise the number in the first line. Then this release uses the
// lease alone: it refuses a longer one, and waits for it at each departure. It does not write the
// record. So a later release must keep the line "lease", its meaning, and the bounds of
// [session.ParseLease]. It must not rely on the lines that it adds: a holder of this release that
// has read an earlier record replaces the record when it leaves.
type record struct {
	// lease is the longest that is allowed in the line.
	lease   time.Duration
	Numbers // with at most maxSpans
}

// A span is the numbers from first to last.
type span struct{ first, last int64 }

const (
	recordFamily = "zkrecipe line "
	recordHead   = recordFamily + "1"
	// maxSpans bounds a record. What does not fit is forgotten, so that somebody may wait.
	maxSpans = 100
)

// String returns the record as the path holds it.
func (r record) String() string {
	return recordHead + "\nlease " + r.lease.String() + "\n" + r.Numbers.String()
}

// parseRecord reads a record. It is not ok if the data are somebody else's, or those of a later
// release. Of the latter it returns only the lease.
func parseRecord(data []byte) (r record, ok bool) {
	head, text, found := strings.Cut(string(data), "\n")
	if !found || !strings.HasPrefix(head, recordFamily) {
		return record{}, false
	}
	ok = head == recordHead
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole { // somebody has cut it, so a number in it may be another one
			ok = false
			break
		}
		key, value, _ := strings.Cut(line, " ")
		known, err := r.Read(key, value)
		if key == "lease" {
			known = true
			r.lease, err = session.ParseLease(value)
		}
		ok = ok && known && err == nil
	}
	if !ok || r.lease == 0 || !r.Fit(maxSpans) {
		return record{r.lease, Numbers{path: r.path}}, false
	}
	return r, true
}

// at returns the record for the path with that Stat. If somebody has copied it from another path,
// its numbers are dropped, and leases may be as long as without a record.
func (r record) at(stat zk.Stat) record {
	at, same := r.At(stat)
	if !same && !r.IsZero() {
		r.lease = max(r.lease, session.DefaultLease)
	}
	r.Numbers = at
	return r
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

// settle returns the record that the candidate with number n writes when it leaves: it has led, so
// all before it have led or never will.
func (r record) settle(n int64) record {
	r.settled = max(r.settled, n+1)
	r.left = slices.DeleteFunc(slices.Clone(r.left), func(s span) bool { return s.last < r.settled })
	return r
}

// leave returns the record with number n among those that left.
func (r record) leave(n int64) record { return r.add(span{n, n}) }

// settleBut is settle for a reader: those of the readers before it that were there when it came may
// hold still. All others before it are over. Nothing is said of those behind it.
func (r record) settleBut(n int64, except []int64) record {
	first := r.settled
	for _, x := range append(slices.Clone(except), n+1) {
		if x > n+1 {
			continue
		}
		if first < x {
			r = r.add(span{first, x - 1})
		}
		first = max(first, x+1)
	}
	if len(r.left) > 0 && r.left[0].first <= r.settled {
		r.settled, r.left = r.left[0].last+1, r.left[1:]
	}
	return r
}

// add returns the record with these numbers among those that left.
func (r record) add(s span) record {
	s.first = max(s.first, r.settled)
	if s.last < s.first {
		return r
	}
	var left []span
	for _, x := range r.left {
		switch {
		case x.last+1 < s.first || s.last+1 < x.first:
			left = append(left, x)
		default: // it touches the new one
			s = span{min(x.first, s.first), max(x.last, s.last)}
		}
	}
	i, _ := slices.BinarySearchFunc(left, s, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	r.left = slices.Insert(left, i, s)
	if len(r.left) > maxSpans {
		r.left = r.left[len(r.left)-maxSpans:]
	}
	return r
}

// missing returns the numbers below own that are neither over nor listed, if they are at most
// maxSpans: ok is false if there are more. The holder of such a number may have vanished unseen
// just before the list was made.
func (r record) missing(own int64, listed []Name) (numbers []int64, ok bool) {
	if r.complete(own, listed) {
		return nil, true
	}
	seen := map[int64]bool{}
	for _, n := range listed {
		seen[int64(n.Seq)] = true
	}
	first := r.settled
	for _, over := range append(slices.Clone(r.left), span{own, own}) {
		for n := first; n < min(over.first, own); n++ { // billions may be over in between
			if seen[n] {
				continue
			}
			if numbers = append(numbers, n); len(numbers) > maxSpans {
				return nil, false
			}
		}
		first = over.last + 1
	}
	return numbers, true
}

// complete reports whether every number below own is over or listed: then no holder has vanished
// unseen before the list was made.
func (r record) complete(own int64, listed []Name) bool { return r.Missing(own, listed) == 0 }
