package semaphore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// record is what the parent of the permits holds as its data: how many permits there are, how long
// a lease may be, which numbers are over, so that nobody waits for their leases, and who has which
// slot. As text:
//
//	zkrecipe semaphore 1
//	size 10
//	lease 4s
//	path 500000012-18b3d2a4c10
//	settled 17
//	left 19 22-30
//	slots 0:17 3:31
//
// Curator ignores it. This release refuses a record with a line that it does not know: then it
// acquires nothing and writes nothing. So a later release must not add a line while this release is
// in use.
type record struct {
	size  int
	lease time.Duration
	// Numbers are those that are over. Each permit adds its own when it ends, and those that it has
	// found to be over.
	line.Numbers
	// slots are there from the first record on. A record without them was written by hand.
	slots table
}

const recordHead = "zkrecipe semaphore 1"

// A record has room for spare more gaps than there are permits. What does not fit is forgotten, so
// that somebody may wait.
const spare = 100

// String returns the record as the parent holds it.
func (r record) String() string {
	text := fmt.Sprintf("%s\nsize %d\nlease %v\n%v", recordHead, r.size, r.lease, r.Numbers)
	if r.slots != nil {
		text += fmt.Sprintf("slots%v\n", r.slots)
	}
	return text
}

// parseRecord reads the record of a path with that Stat.
func parseRecord(data []byte, stat zk.Stat) (r record, err error) {
	if stat.Version == anyVersion {
		return record{}, errAnyVersion
	}
	r, err = parse(data)
	return r.at(stat), err
}

func parse(data []byte) (r record, err error) {
	text, found := strings.CutPrefix(string(data), recordHead+"\n")
	if !found {
		return record{}, fmt.Errorf("it does not begin with the line %q", recordHead)
	}
	for l := range strings.Lines(text) {
		l, whole := strings.CutSuffix(l, "\n")
		if !whole { // somebody has cut it, so a number in it may be another one
			return record{}, fmt.Errorf("the last line, %q, has no end", l)
		}
		key, value, _ := strings.Cut(l, " ")
		known, err := r.Read(key, value)
		switch {
		case known:
		case key == "size":
			r.size, err = strconv.Atoi(value)
		case key == "lease":
			r.lease, err = session.ParseLease(value)
		case key == "slots":
			r.slots, err = parseTable(value)
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return record{}, fmt.Errorf("line %q: %w", l, err)
		}
	}
	switch {
	case r.size < 1 || r.size > maxSize:
		return record{}, fmt.Errorf("size %d; want 1 to %d", r.size, maxSize)
	case r.lease <= 0:
		return record{}, fmt.Errorf("lease %v; want a positive one", r.lease)
	case !r.Fit(maxSize + spare): // also where the size was larger
		return record{}, fmt.Errorf("more than %d gaps in the line %q", maxSize+spare, "left")
	}
	return r, nil
}

// add returns the record with a number among those that are over.
func (r record) add(n int64) record {
	r.Numbers = r.Add(n, n)
	return r
}

// addBelow returns the record with all numbers below own among those that are over, except some.
func (r record) addBelow(own int64, except []int64) record {
	from := int64(0)
	for _, n := range slices.Sorted(slices.Values(except)) {
		if n < own { // so it is not [line.NoNumber] either
			r.Numbers = r.Add(from, n-1)
			from = n + 1
		}
	}
	r.Numbers = r.Add(from, own-1)
	return r
}

// bound returns the record without the oldest gaps, if there is no room for all.
func (r record) bound() record {
	r.Numbers = r.Bound(r.size + spare)
	return r
}

// at returns the record for the path with that Stat. If somebody has copied it from another path,
// its numbers are dropped, and leases may be as long as without a record. If the path still has the
// data that it was created with, nobody has taken slots yet.
func (r record) at(stat zk.Stat) record {
	at, same := r.At(stat)
	if !same && (!r.IsZero() || len(r.slots) > 0) {
		r.lease = max(r.lease, session.DefaultLease)
		if r.slots = nil; stat.Version == 0 {
			r.slots = table{}
		}
	}
	r.Numbers = at
	return r
}

// anyVersion is the version that servers take for any version. A znode can reach it. Then a write
// cannot be tied to what was read.
const anyVersion = -1

var errAnyVersion = errors.New("its version is -1, at which nobody can change it safely: write the same data once more by hand")

// tied reads the data of a path, by get, at a version to which a write can be tied. If the version
// is the one before anyVersion, it first skips anyVersion, by two writes in one transaction.
func tied(ctx context.Context, at *session.Session, path string, get func(context.Context) ([]byte, zk.Stat, error)) ([]byte, zk.Stat, error) {
	for {
		data, stat, err := get(ctx)
		if err != nil || stat.Version != anyVersion-1 {
			return data, stat, err
		}
		_, err = at.Multi(ctx,
			&zk.SetDataRequest{Path: path, Data: data, Version: stat.Version},
			&zk.SetDataRequest{Path: path, Data: data, Version: anyVersion})
		if err != nil && !errors.Is(err, zk.ErrBadVersion) && (session.OutcomeOf(err) != session.OutcomeUnknown || ctx.Err() != nil || at.Err() != nil) {
			return nil, zk.Stat{}, err
		}
	}
}
