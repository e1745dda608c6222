package election

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// EventKind tells events apart.
type EventKind int

const (
	// Joined: the candidate stands in line. Session, Timeout, Node and Position are set.
	Joined EventKind = iota + 1
	// Heir: only the leader is ahead; a lease is being kept. Node is set.
	Heir
	// Elected: a term has begun. Node, Token, Deadline and Term are set. It is delivered
	// beside the call of Run's callback, not before it.
	Elected
	// Suspended: the session has lost its connection; a term goes on while its lease
	// runs.
	Suspended
	// Resumed: the same session is connected again.
	Resumed
	// Deposed: a term is over. Token, Reason and perhaps Err are set. Nobody waits for its
	// delivery, so elsewhere the successor's Elected may be delivered first.
	Deposed
	// Left: the candidate does not stand in line any more. Its znode is gone, unless Err
	// tells why it was not deleted: the session is over, and its end takes the znode; or it
	// goes on trying in the background.
	Left
	// Failed: there is no session yet, or an attempt to join or wait failed; it is
	// repeated after Delay. Err is set.
	Failed
	// Blocked: the one ahead, named by Node, is a persistent znode: somebody has to delete it,
	// because it does not end with a session.
	Blocked
	// TookOver: the session of the one ahead was silent for longer than its lease, and its
	// znode, named by Node, was deleted.
	TookOver
	// Withheld: the candidate is first, but a departure was not announced, so that another may
	// still count itself the leader. Delay is how long that can last.
	Withheld
	// Impaired: a change of leader may take longer than it has to, for the reason in Err, most
	// often a missing permission.
	Impaired
	// LeaderChanged: another leads, or nobody. Leader is set. Asked for with
	// [Config.FollowLeader].
	LeaderChanged
)

var kinds = []string{
	Joined: "joined", Heir: "heir", Elected: "elected", Suspended: "suspended", Resumed: "resumed",
	Deposed: "deposed", Left: "left", Failed: "failed", Blocked: "blocked",
	TookOver: "took over", Withheld: "withheld", Impaired: "impaired", LeaderChanged: "leader changed",
}

// String returns the kind in words.
func (k EventKind) String() string { return enum.Name(k, kinds) }

// Event is a transition of a candidate. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind
	// Time is when it happened, by the civil clock.
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
