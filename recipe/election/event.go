package election

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// EventKind tells events apart.
type EventKind int

const (
	// EventJoined: the candidate stands in line. Session, Timeout, Node and Position are set.
	EventJoined EventKind = iota + 1
	// EventHeir: only the leader is ahead. The candidate keeps a lease. Node is set.
	EventHeir
	// EventElected: a term has begun. Node, Token, Deadline and Term are set. It is delivered
	// concurrently with Run's callback; neither waits for the other.
	EventElected
	// EventSuspended: the session has lost its connection; a term goes on while its lease runs.
	EventSuspended
	// EventResumed: the same session is connected again.
	EventResumed
	// EventDeposed: a term is over. Token, Reason and perhaps Err are set. Nobody waits for its
	// delivery, so elsewhere the successor's EventElected may be delivered first.
	EventDeposed
	// EventLeft: the candidate does not stand in line any more. Its znode is gone, unless Err tells
	// why it was not deleted. Either the session is over, and its end deletes the znode; or the
	// deletion is retried in the background.
	EventLeft
	// EventFailed: there is no session yet, or an attempt to join or wait failed; it is repeated
	// after Delay. Err is set. With [Config.FollowLeader] it is also sent when there is no
	// permission to read the path, so that the leader is not followed. Then Err says so, and a
	// [*recipe.PermanentError] in it says that this is for good. It changes nothing else.
	EventFailed
	// EventBlocked: the one ahead, named by Node, is a persistent znode: somebody has to delete it,
	// because it does not end with a session.
	EventBlocked
	// EventTookOver: the session of the one ahead was silent for longer than its lease, and its
	// znode, named by Node, was deleted.
	EventTookOver
	// EventWithheld: the candidate is first, but a departure was not announced, so that another may
	// still count itself the leader. Delay is how long that can last.
	EventWithheld
	// EventImpaired: a change of leader may take longer than it has to, for the reason in Err, most
	// often a missing permission.
	EventImpaired
	// EventLeaderChanged: another leads, or nobody. Leader is set. Only with [Config.FollowLeader].
	EventLeaderChanged
)

var kinds = []string{
	EventJoined: "joined", EventHeir: "heir", EventElected: "elected", EventSuspended: "suspended", EventResumed: "resumed",
	EventDeposed: "deposed", EventLeft: "left", EventFailed: "failed", EventBlocked: "blocked",
	EventTookOver: "took over", EventWithheld: "withheld", EventImpaired: "impaired", EventLeaderChanged: "leader changed",
}

// String returns the kind in words.
func (k EventKind) String() string { return enum.Name(k, kinds) }

// Subscribe calls f with every event from now on, until stop is called: in order and one at a time,
// from a goroutine that is not the candidate's. f may be slow, and may call anything of this
// library; a panic in it ends the process. Up to 1000 events wait for it; more are dropped, and
// counted in [Status.EventsDropped]. At its end Run waits up to a second until f has been called
// with the last event and has returned. Later events may come after that: those that f has not
// taken in that second, and [EventLeft] if ZooKeeper has not answered the departure by then. A
// leader's departure and the client's Close do not wait for f. stop does not wait for a call of f
// that is under way. There may be any number of subscribers, and none waits for another.
func (e *Election) Subscribe(f func(Event)) (stop func()) { return e.events.Subscribe(f) }

// Event is a transition of a candidate. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind
	// Time is when it happened, by the wall clock.
	Time time.Time
	// Session and Timeout are the ZooKeeper session's id and negotiated timeout.
	Session int64
	Timeout time.Duration
	// Node is the path of the candidate's znode, or of the one that Kind tells about.
	Node string
	// Position is how many stand ahead.
	Position int
	// Token is the term's fencing token.
	Token int64
	// Term is the term that has begun.
	Term *Term
	// Deadline is when the lease ends unless it is extended.
	Deadline time.Time
	// Reason is why the term ended.
	Reason recipe.Reason
	// Err is what went wrong, if anything did.
	Err error
	// Delay is the time until the next attempt, or until the term can begin.
	Delay time.Duration
	// Leader is who leads now; nobody if its Node is empty.
	Leader Candidate
}
