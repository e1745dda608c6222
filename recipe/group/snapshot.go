package group

import (
	"bytes"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Entry is a member as others see it.
type Entry struct {
	// ID names the member. With kazoo's Party and [StyleParty] there may be several of one ID.
	ID string
	// Data are the member's. They are shared: do not change them.
	Data []byte
	// Node is the path of the znode.
	Node string
	// Token is the znode's czxid. It tells one znode from a later one of the same path, and is what
	// the member's [Listing.Token] returns.
	Token int64
	// Session is the ZooKeeper session that the znode belongs to.
	Session int64
	// Joined is when the znode was created, by the clock of ZooKeeper's leader.
	Joined time.Time
	// Err is why the znode cannot be read, as zk.ErrNoAuth. Then ID is its name, and the rest is
	// not known.
	Err error

	mzxid int64 // of the last change of the data
}

// same reports whether nothing has changed.
func (e Entry) same(o Entry) bool {
	return e.Node == o.Node && e.Token == o.Token && e.mzxid == o.mzxid && (e.Err == nil) == (o.Err == nil)
}

// Snapshot is a group as it was. Nothing in it changes.
type Snapshot struct {
	// Members are the members in the order in which they joined. The slice is shared: do not change
	// it.
	Members []Entry
	// AsOf is an instant, by this process's wall clock. Every Join, Leave and Set that was
	// acknowledged before it is in the snapshot. Later ones may be in it, too. If AsOf does not
	// advance, no proof succeeds any more, for instance because the server is cut off from the
	// others and still answers.
	AsOf time.Time

	asOf  clock.Instant
	clock clock.Clock
}

// Age returns how long ago AsOf is, by a clock that does not jump.
func (s Snapshot) Age() time.Duration {
	if s.clock == nil {
		return 1<<63 - 1
	}
	return s.clock.Now().Sub(s.asOf)
}

// ByID returns the member of that ID. If there are several it returns the one that joined last.
func (s Snapshot) ByID(id string) (Entry, bool) {
	for i := len(s.Members) - 1; i >= 0; i-- {
		if s.Members[i].ID == id {
			return s.Members[i], true
		}
	}
	return Entry{}, false
}

// Since returns the difference to an older snapshot: members that are new, members that are gone,
// and members whose data have changed. A member with another znode than before counts as gone and
// as new.
func (s Snapshot) Since(old Snapshot) (come, gone, changed []Entry) {
	before := map[int64]Entry{}
	for _, e := range old.Members {
		before[e.Token] = e
	}
	for _, e := range s.Members {
		was, ok := before[e.Token]
		delete(before, e.Token)
		switch {
		case !ok:
			come = append(come, e)
		case !bytes.Equal(was.Data, e.Data):
			changed = append(changed, e)
		}
	}
	for _, e := range old.Members {
		if _, ok := before[e.Token]; ok {
			gone = append(gone, e)
		}
	}
	return come, gone, changed
}

// sameMembers reports whether two lists show the same.
func sameMembers(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].same(b[i]) {
			return false
		}
	}
	return true
}
