package line

import (
	"fmt"
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
	// Numbers are those that are over. Only a candidate that has led settles others than its own,
	// when it leaves. Each candidate that has not led adds its own.
	Numbers
}

const recordHead = "zkrecipe line 1"

// FirstRecord is what a path holds that is made for a line in which leases may be so long.
func FirstRecord(lease time.Duration) []byte { return []byte(record{lease: lease}.String()) }

// String returns the record as the path holds it.
func (r record) String() string {
	return fmt.Sprintf("%s\nlease %v\n%v", recordHead, r.lease, r.Numbers)
}

// parseRecord reads a record. It is not ok if the data are somebody else's.
func parseRecord(data []byte) (r record, ok bool) {
	text, found := strings.CutPrefix(string(data), recordHead+"\n")
	if !found {
		return record{}, false
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		known, err := r.Read(key, value)
		switch {
		case known:
		case key == "lease":
			r.lease, err = time.ParseDuration(value)
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return record{}, false
		}
	}
	return r, r.lease > 0
}

// settle returns the record that the candidate with number n leaves behind: it has led, and so
// have all before it, or they never will.
func (r record) settle(n int64) record {
	r.Numbers = r.Add(0, n)
	return r
}

// leave returns the record with number n among those that left.
func (r record) leave(n int64) record {
	r.Numbers = r.Add(n, n).Bound(maxSpans)
	return r
}

// complete reports whether every number below own is over or listed: then no holder has
// vanished unseen before the list was made.
func (r record) complete(own int64, listed []Name) bool { return r.Missing(own, listed) == 0 }
