package recipe

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

// Status is the state of a lock or a semaphore at one moment, in this process.
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
	// TryingSince is when it began to try to stand in line; it has not succeeded since. The delays
	// between attempts count, too. It is the zero time while the claim stands in line or holds.
	TryingSince time.Time
	// Session and Node are the session and the znode with which it stands in line or holds, 0 and
	// "" without.
	Session int64
	Node    string
	// Position is how many stand ahead.
	Position int
	// Blocked: the one ahead is a persistent znode, which somebody has to delete.
	Blocked bool
	// Impaired is why the acquisition may take longer than it has to, nil if no reason is known.
	Impaired error
	// Token, Permits, Slots and LeaseRemaining are of what is held. Permits is 1 for a lock.
	Token          int64
	Permits        int
	Slots          []int
	LeaseRemaining time.Duration
	// Running: a function that was given to Do has not returned.
	Running bool
	// Reason is why the claim is over, while it is ending.
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
	// ClaimEnding: what it has held is over. The znode is not gone yet, or the function that was
	// given to Do has not returned yet.
	ClaimEnding
)

// String returns the state in words.
func (s ClaimState) String() string { return enum.Name(s, []string{"waiting", "held", "ending"}) }

// Counts are totals of a lock or a semaphore, in this process.
type Counts struct {
	// Waited is how long the successful calls of Acquire took. Held is how long the locks or
	// permits that are over were held.
	Waited, Held Times
	// Ended is how many are over, by reason.
	Ended map[Reason]uint64
	// Busy is how many calls of TryAcquire found it taken. GaveUp is how many calls have failed for
	// another reason, most often because their context has ended.
	Busy, GaveUp uint64
	// Failed is how many attempts to stand in line failed, which were or will be repeated, and how
	// often there was no session for a long time.
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
	// Within is how many took at most 1 ms, 4 ms, and so on, each time 4 times as long.
	Within [14]uint64
}
