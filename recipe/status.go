package recipe

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

// Status is how a lock or a semaphore stands in this process.
type Status struct {
	// Path and ID are those that it was made with.
	Path, ID string
	// Size is how many permits a semaphore has, as far as is known; 0 for a lock.
	Size int
	// Reader: it is the reading side of a read-write lock.
	Reader bool
	// Claims are those of this process that wait or hold now, in the order in which they began.
	Claims []Claim
	// Counts are totals.
	Counts Counts
	// EventsDropped is how many events subscribers have not taken, Config.OnEvent and a lock's
	// Config.OnRevoke included.
	EventsDropped uint64
}

// Claim is one call of Acquire, from its beginning until what it has acquired is given away.
type Claim struct {
	// State is what it is doing, since Since.
	State ClaimState
	Since time.Time
	// TryingSince is since when it has been trying to stand in line without success, the delays
	// between attempts included. It is the zero time while it stands in line or holds.
	TryingSince time.Time
	// Session and Node are the session and the znode with which it stands in line or holds, 0 and ""
	// without.
	Session int64
	Node    string
	// Position is how many stand ahead.
	Position int
	// Blocked: the one ahead is a persistent znode, which somebody has to delete.
	Blocked bool
	// Impaired is why it may take longer than it has to until this is acquired, nil if nothing is
	// known.
	Impaired error
	// Token, Permits, Slots and LeaseRemaining are of what is held. Permits is 1 for a lock.
	Token          int64
	Permits        int
	Slots          []int
	LeaseRemaining time.Duration
	// Running: a function that was given to Do has not returned.
	Running bool
	// Reason is why it is over, while it is ending.
	Reason Reason
	// Err is what went wrong last, nil since it stands in line.
	Err error
}

// ClaimState is what a claim is doing.
type ClaimState int

const (
	// ClaimWaiting: it waits for a session, for a place in the line, or in line.
	ClaimWaiting ClaimState = iota
	// ClaimHeld: it holds.
	ClaimHeld
	// ClaimEnding: what it has held is over, and the znode is not gone yet, or the function that Do
	// was given has not returned yet.
	ClaimEnding
)

// String returns the state in words.
func (s ClaimState) String() string { return enum.Name(s, []string{"waiting", "held", "ending"}) }

// Counts are totals of a lock or a semaphore, in this process.
type Counts struct {
	// Waited is how long the successful calls of Acquire took. Held is how long those that are over
	// were held.
	Waited, Held Times
	// Ended is how many are over, by reason.
	Ended map[Reason]uint64
	// Busy is how many calls of TryAcquire found it taken. GaveUp is how many calls have failed
	// otherwise: most often their context has ended.
	Busy, GaveUp uint64
	// Failed is how many attempts to stand in line failed, and were or will be repeated, and how
	// often there was no session for long.
	Failed uint64
	// TookOver is how many silent holders, as after a crash, were replaced before their session
	// expired. Withheld is how often this process was next and had to wait, because a departure was
	// not announced.
	TookOver, Withheld uint64
}

// Times is how long something took, each time.
type Times struct {
	Count uint64
	Sum   time.Duration
	// Within is how many took at most so long: 1 ms, 4 ms, and so on, each time 4 times as long.
	Within [14]uint64
}
