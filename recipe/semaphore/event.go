package semaphore

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// EventKind tells events apart.
type EventKind int

const (
	// EventJoined: an Acquire stands in line, because no permit was free. Session, Node and
	// Position are set.
	EventJoined EventKind = iota + 1
	// EventAcquired: a permit is held. Session, Node, Token, Permit and Waited are set.
	EventAcquired
	// EventEnded: a permit is over. Node, Token, Reason and perhaps Err are set. Its znode is there
	// until EventLeft.
	EventEnded
	// EventLeft: the znode of a permit or of an Acquire that has failed is gone, unless Err tells
	// why it was not deleted. Either the session is over, and its end deletes the znode; or the
	// deletion is retried in the background. Node is set.
	EventLeft
	// EventFailed: there is no session yet, or an attempt to acquire failed; it is repeated after
	// Delay. Err is set.
	EventFailed
	// EventBlocked: a permit ahead, named by Node, is a persistent znode: somebody has to delete
	// it, because it does not end with a session.
	EventBlocked
	// EventTookOver: the session of a holder was silent for longer than its lease, and its znode,
	// named by Node, was deleted.
	EventTookOver
	// EventWithheld: there is room, but somebody who has not announced the end of a permit may
	// still count it valid. Delay is how long that can last.
	EventWithheld
	// EventImpaired: a permit may change hands later than it has to, for the reason in Err, most
	// often a missing permission.
	EventImpaired
)

var kinds = []string{
	EventJoined: "joined", EventAcquired: "acquired", EventEnded: "ended", EventLeft: "left", EventFailed: "failed",
	EventBlocked: "blocked", EventTookOver: "took over", EventWithheld: "withheld", EventImpaired: "impaired",
}

// String returns the kind in words.
func (k EventKind) String() string { return enum.Name(k, kinds) }

// Subscribe calls f with every event from now on, until stop is called: in order and one at a time,
// from a goroutine that is no permit's. f may be slow, and may call anything of this library; a
// panic in it ends the process. Up to 1000 events wait for it; more are dropped, and counted in
// [recipe.Status.EventsDropped]. No Acquire, no Release and no Close waits for f. stop does not
// wait for a call of f that is under way. There may be any number of subscribers, and none waits
// for another.
func (s *Semaphore) Subscribe(f func(Event)) (stop func()) { return s.events.Subscribe(f) }

// Event is a transition of an Acquire or of a permit. Node tells them apart. Which fields are set
// depends on Kind.
type Event struct {
	Kind EventKind
	// Time is when it happened, by the wall clock.
	Time time.Time
	// Session is the ZooKeeper session's id.
	Session int64
	// Node is the path of the znode in line or of the permit's, or of the one that Kind tells
	// about.
	Node string
	// Position is how many stand ahead in line.
	Position int
	// Token is the permit's fencing token.
	Token int64
	// Permit is the permit that has begun.
	Permit *Permit
	// Waited is how long Acquire has taken.
	Waited time.Duration
	// Reason is why the permit ended.
	Reason recipe.Reason
	// Err is what went wrong, if anything did.
	Err error
	// Delay is the time until the next attempt, or until the permit can begin.
	Delay time.Duration
}
