package group

import (
	"errors"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// ErrReplaced: another member has joined with the same ID later than this one, and its znode was
// there when this member found out. A member that has got ErrReplaced does not come back.
var ErrReplaced = errors.New("group: replaced by another member with the same ID")

// EventKind tells events apart.
type EventKind int

const (
	// EventListed: a listing has begun. Session, Node and Token are set.
	EventListed EventKind = iota + 1
	// EventUnlisted: a listing is over. Token, Reason and perhaps Err are set. The znode may still
	// be there: another listing of the same Token may follow.
	EventUnlisted
	// EventFailed: an attempt to be listed failed. It is repeated after Delay. If there is no
	// session, Delay is 0, and the member waits for one. Err is set.
	EventFailed
	// EventOver: the membership is over. Err is the cause of the member's context.
	EventOver
)

var kinds = []string{EventListed: "listed", EventUnlisted: "unlisted", EventFailed: "failed", EventOver: "over"}

// String returns the kind in words.
func (k EventKind) String() string { return enum.Name(k, kinds) }

// Subscribe calls f with every event from now on, until stop is called: in order and one at a time,
// from a goroutine that is not the member's. f may be slow, and may call anything of this library;
// a panic in it ends the process. Up to 1000 events wait for it; more are dropped, and counted in
// [MemberStatus.EventsDropped]. No beat, no Leave and no Close waits for f. stop does not wait for
// a call of f that is under way. There may be any number of subscribers, and none waits for
// another. [Members.Next] tells who else is in the group. It may skip states, but never the latest
// one.
func (m *Member) Subscribe(f func(Event)) (stop func()) { return m.events.Subscribe(f) }

// Event is a transition of a member. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind
	// Time is when it happened, by the wall clock.
	Time time.Time
	// Session is the ZooKeeper session's id.
	Session int64
	// Node is the path of the member's znode.
	Node string
	// Token is the listing's.
	Token int64
	// Reason is why the listing ended.
	Reason recipe.Reason
	// Err is what went wrong, if anything did.
	Err error
	// Delay is the time until the next attempt.
	Delay time.Duration
}

// tell takes an event into the status and passes it on.
func (m *Member) tell(e Event) {
	m.mu.Lock()
	m.count(&e)
	m.mu.Unlock()
	m.send(e)
}

// send writes an event to the log and passes it on.
func (m *Member) send(e Event) {
	args := []any{}
	if e.Token != 0 {
		args = append(args, "token", e.Token)
	}
	if e.Reason != 0 {
		args = append(args, "reason", e.Reason.String())
	}
	if e.Err != nil {
		args = append(args, "err", e.Err)
	}
	if e.Delay != 0 {
		args = append(args, "retry", e.Delay)
	}
	switch _, refused := e.Err.(*recipe.PermanentError); {
	case e.Kind == EventListed:
		m.log.Info("listed", args...)
	case e.Kind == EventUnlisted:
		m.log.Info("unlisted", args...)
	case e.Kind == EventFailed && e.Delay == 0:
		m.often.Warn("no session", args...)
	case e.Kind == EventFailed:
		m.often.Warn("not listed", args...)
	case refused:
		m.log.Error("cannot join", args...)
	default:
		m.log.Info("membership over", args...)
	}
	m.events.Send(e)
}
