package lock

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// EventKind tells events apart.
type EventKind int

const (
	// EventJoined: a contender stands in line. Session, Node and Position are set.
	EventJoined EventKind = iota + 1
	// EventAcquired: the lock is held. Node, Token, Held and Waited are set.
	EventAcquired
	// EventEnded: the lock is not held any more. Token, Reason and perhaps Err are set. The znode
	// is there until EventLeft.
	EventEnded
	// EventLeft: the contender does not stand in line any more. Its znode is gone, unless Err tells
	// why it was not deleted. Either the session is over, and its end deletes the znode; or the
	// deletion is retried in the background.
	EventLeft
	// EventFailed: there is no session yet, or an attempt to join or wait failed; it is repeated
	// after Delay. Err is set.
	EventFailed
	// EventBlocked: the one ahead, named by Node, is a persistent znode: somebody has to delete it,
	// because it does not end with a session.
	EventBlocked
	// EventTookOver: the session of the one ahead was silent for longer than its lease, and its
	// znode, named by Node, was deleted.
	EventTookOver
	// EventWithheld: the contender is next, but a departure was not announced, so that another may
	// still count itself the holder. Delay is how long that can last.
	EventWithheld
	// EventImpaired: a change of holder may take longer than it has to, for the reason in Err, most
	// often a missing permission.
	EventImpaired
	// EventRevoked: somebody asks the holder to release the lock. Token and Held are set.
	EventRevoked
)

var kinds = []string{
	EventJoined: "joined", EventAcquired: "acquired", EventEnded: "ended", EventLeft: "left",
	EventFailed: "failed", EventBlocked: "blocked", EventTookOver: "took over",
	EventWithheld: "withheld", EventImpaired: "impaired", EventRevoked: "revoked",
}

// String returns the kind in words.
func (k EventKind) String() string { return enum.Name(k, kinds) }

// Subscribe calls f with every event from now on, until stop is called: in order and one at a time,
// from a goroutine that is no contender's. f may be slow, and may call anything of this library; a
// panic in it ends the process. Up to 1000 events wait for it; more are dropped, and counted in
// [recipe.Status.EventsDropped]. No contender, no release and no Close waits for f. stop does not
// wait for a call of f that is under way. There may be any number of subscribers, and none waits
// for another. Each side of a read-write lock has its own events.
func (l *Lock) Subscribe(f func(Event)) (stop func()) {
	return l.events.Subscribe(func(ev Event) {
		if ev.Reader == l.shared {
			f(ev)
		}
	})
}

// Event is a transition of a contender. Each call of Acquire makes a contender of its own; Node
// tells them apart. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind
	// Time is when it happened, by the wall clock.
	Time time.Time
	// Reader: it is for reading.
	Reader bool
	// Session is the ZooKeeper session's id.
	Session int64
	// Node is the path of the contender's znode, or of the one that Kind tells about.
	Node string
	// Position is how many stand ahead.
	Position int
	// Token is the fencing token of what is held.
	Token int64
	// Held is what is held.
	Held *Held
	// Waited is how long Acquire has taken.
	Waited time.Duration
	// Reason is why it ended.
	Reason recipe.Reason
	// Err is what went wrong, if anything did.
	Err error
	// Delay is the time until the next attempt, or until the lock can be held.
	Delay time.Duration
}
