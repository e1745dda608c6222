// Package journal changes the data of one znode in such a way that no change counts twice, however
// many answers are lost.
//
// Each change is a multi: it writes the znode at the version that was read, and in the same
// transaction a second znode, the journal, which belongs to this Znode alone. The journal comes
// first. It is written at the version that the writer knows, and holds the number of the attempt:
//
//	set journal at version j to "writer number"
//	set znode at version v to the new data           or create it; or delete and create it
//
// If the answer to an attempt is lost, the same attempt is sent again. The next answer tells its
// outcome:
//
//	done                              it was carried out, now or before
//	the journal's version is refused  one attempt was carried out; the journal tells which
//	the znode is refused              the journal was at j: nothing was carried out so far
//
// All attempts of one change are made at the same j. So at most one of them is ever carried out,
// even if copies of them arrive late. No attempt creates a missing journal, and no later journal
// gets its name. So a copy never fits a later journal.
//
// A copy may be carried out after later requests of the same session: see "Calls and outcomes" in
// package session. So if an answer was lost, a refusal of the znode does not end the change. Then a
// void is sent: it writes the journal alone, at version j. If that succeeds, the journal is never
// at j again (j is over), so no copy is carried out any more. If it is refused, the journal tells
// what was carried out. A large write that is never answered is ended by a void, too. A void costs
// one write, and only after a lost answer.
//
// The journal is ephemeral. When the session is over before the outcome is known, the next session
// makes the same change at the same version v, with a journal of its own. Only one of the two can
// be carried out. The former session may still exist after its client has given it up. So if the
// change is refused, the outcome is unknown, unless the znode shows that another has written
// version v+1.
//
// A durable journal outlives the session. The next session goes on with the same attempt.
//
// internal/model/journal.pml is a model of this, with what breaks without each of the rules.
package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// State is what a znode holds. That of a missing znode is zero.
type State struct {
	Exists bool
	Data   []byte
	// Zxid is the transaction that wrote the data. Each write has its own, and they only grow.
	Zxid int64

	version int32
	czxid   int64
}

func stateOf(data []byte, stat zk.Stat) State {
	return State{Exists: true, Data: data, Zxid: stat.Mzxid, version: stat.Version, czxid: stat.Czxid}
}

// A Change returns the data that are to replace a state, or an error that says why the state is to
// stay as it is. It is called again when somebody else has changed the znode first. It must not
// block.
type Change func(State) ([]byte, error)

// ErrPeek is returned by a Change that wants to see what is known, which may be a second old or
// come from a server that lags.
var ErrPeek = errors.New("not changed")

// UnknownError is the error of a change that may or may not have been carried out.
type UnknownError struct {
	Before, After State // After: if it was carried out
	Err           error
}

// Error says why.
func (e *UnknownError) Error() string { return fmt.Sprintf("outcome unknown: %v", e.Err) }

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// Config is what a Znode needs.
type Config struct {
	Path    string
	Dir     string   // where the journals are
	Durable string   // the name of a persistent journal; "": an ephemeral one, of any name
	ACL     []zk.ACL // of what is created; nil: the client's
	Batch   bool     // one write may carry the changes of several callers
}

// Counts are totals, for metrics.
type Counts struct {
	Changes   uint64 // that were carried out
	Writes    uint64 // that carried them
	Conflicts uint64 // somebody else has changed the znode first
	Lost      uint64 // answers
	Unknown   uint64 // changes whose outcome is unknown
}

// Znode is one znode, as one user of it changes it. Its methods may be called from any goroutine.
type Znode struct {
	client *session.Client
	clock  clock.Clock
	cfg    Config
	writer string // identifies its entries in a journal

	changes, writes, conflicts, lost, unknown atomic.Uint64

	mu      sync.Mutex // guards what follows, and the fields of pendings that say so
	queue   []*pending
	left    int  // how many callers have left since they were last removed from the queue
	working bool // a goroutine carries out what is in the queue

	// Owned by the one goroutine that works.
	known      State
	knownAt    clock.Instant // before the request that showed it was sent; never: nothing is known
	number     uint64        // of the latest attempt
	book       *book
	deleted    bool // somebody has deleted a journal
	contention contention
	children   bool // it has some, so it cannot be deleted and created again
}

// never is when nothing was known.
var never clock.Instant

// New does no I/O.
func New(client *session.Client, cfg Config) *Znode {
	return &Znode{client: client, clock: clock.From(client.Context()), cfg: cfg, writer: newName()}
}

// Counts returns the totals.
func (z *Znode) Counts() Counts {
	return Counts{z.changes.Load(), z.writes.Load(), z.conflicts.Load(), z.lost.Load(), z.unknown.Load()}
}

// pending is the change of one caller.
type pending struct {
	change Change        // nil: delete the journal
	done   chan struct{} // closed when the rest is final

	// Guarded by mu until done is closed.
	before, after State
	err           error
	again         bool // only changes before it in its batch refuse it, not what the znode holds
	open          bool // an attempt may be carried out
	left          bool // the caller does not wait any more
}

// Do carries out a change once, and returns the states before and after it. If the change has
// returned an error, both are the state that it was given: that of the znode at some instant since
// Do was called, or at an earlier one with ErrPeek.
//
// When ctx ends while the outcome is open the error is an UnknownError.
func (z *Znode) Do(ctx context.Context, change Change) (before, after State, err error) {
	if ctx.Err() != nil {
		return State{}, State{}, context.Cause(ctx)
	}
	p := &pending{change: change, done: make(chan struct{})}
	z.mu.Lock()
	z.queue = append(z.queue, p)
	start := !z.working
	z.working = true
	z.mu.Unlock()
	if start {
		left := z.client.KeepOpen("change of " + z.cfg.Path) // the client waits for the worker, which ends with the client's context
		go func() {
			defer left()
			z.work(z.client.Context())
		}()
	}
	select {
	case <-p.done:
		return p.before, p.after, p.err
	case <-ctx.Done():
	}
	why := z.cut(ctx)
	z.mu.Lock()
	defer z.mu.Unlock()
	select {
	case <-p.done:
		return p.before, p.after, p.err
	default:
	}
	p.left = true
	if z.left++; z.left > len(z.queue)/2 { // during a long outage many come and go
		z.queue = slices.DeleteFunc(z.queue, func(p *pending) bool { return p.left })
		z.left = 0
	}
	if p.open {
		z.unknown.Add(1)
		return State{}, State{}, &UnknownError{p.before, p.after, why}
	}
	return State{}, State{}, why
}

// Drop deletes an ephemeral journal when the earlier changes are done. Then the session has one
// znode less. A later change makes another journal.
func (z *Znode) Drop(ctx context.Context) error {
	_, _, err := z.Do(ctx, nil)
	return err
}

// cut returns the cause of ctx, which has ended. If there is no session, it tells what is wrong
// with each server.
func (z *Znode) cut(ctx context.Context) error {
	if _, err := z.client.Session(ctx); errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return context.Cause(ctx)
}
