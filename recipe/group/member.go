package group

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// leaveFor bounds how long Close of a client waits for the deletion: the end of the session deletes
// the znode, too.
const leaveFor = 3 * time.Second

// Member is one membership, from [Group.Join] to [Member.Leave], in as many sessions as it takes.
// All methods may be called from any goroutine.
type Member struct {
	client *session.Client
	dir    string
	node   string // path of the znode, the same for the whole membership
	cfg    Config
	clock  clock.Clock
	log    *slog.Logger
	often  *slog.Logger // for lines that repeat while something does not work
	lines  *feed.Log
	events *feed.Feed[Event]
	life   *life.Life
	wake   chan struct{} // from the session and from Set: look again
	done   chan struct{} // closed when the znode is gone and nothing is left

	ctx context.Context // ends with the membership
	end context.CancelCauseFunc

	last   context.Context // ends when the client must not be kept open any longer
	forget func()

	// Owned by run.
	pause      *retry.Backoff
	joined     bool           // it was listed
	hasty      bool           // the latest znode did not last, and was made again at once
	token      int64          // czxid of the latest znode that was surely ours
	unresolved map[int64]bool // sessions in which a create may happen, or have happened, without our knowledge

	mu      sync.Mutex // guards what follows
	listing *Listing   // nil while there is none
	changed notify.Change
	data    []byte       // what the znode has to hold
	good    []byte       // what it has held
	asked   uint64       // counts the calls of Set
	written uint64       // the latest of them that is done, or refused
	refusal error        // why the latest was refused
	failure error        // the latest one
	left    error        // why the znode could not be deleted
	status  MemberStatus // what events have told
	counted int64        // token of the latest listing
}

func newMember(ctx context.Context, g *Group) *Member {
	client, path, cfg, c := g.client, g.path, g.cfg, g.clock
	logger, lines := feed.LogOf(client.Context(), cfg.Logger)
	m := &Member{
		client: client, dir: path, node: path + "/" + cfg.Style.name(cfg.ID), cfg: cfg, clock: c,
		log:    feed.Thinned(client.Context(), logger, lines, feed.Transitions).With("group", path, "id", cfg.ID),
		often:  feed.Thinned(client.Context(), logger, lines, feed.Failures).With("group", path, "id", cfg.ID),
		lines:  lines,
		events: feed.New(cfg.OnEvent, maxEvents),
		life:   life.Begin(context.WithoutCancel(ctx), client, "member of the group", path, cfg.ID),
		wake:   make(chan struct{}, 1), done: make(chan struct{}),
		pause:      life.NewBackoff(c),
		unresolved: map[int64]bool{},
		data:       bytes.Clone(cfg.Style.encode(cfg.ID, cfg.Data)),
	}
	m.good = m.data
	m.status = MemberStatus{Since: c.Wall(), Ended: map[recipe.Reason]uint64{}}
	m.ctx, m.end = context.WithCancelCause(context.WithoutCancel(ctx))
	last, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unbind := context.AfterFunc(client.Context(), func() {
		_ = clock.Sleep(last, c, leaveFor)
		cancel(fmt.Errorf("group: %s: not deleted within %v of the closing: %w", m.node, leaveFor, context.Cause(client.Context())))
	})
	m.last, m.forget = last, func() { unbind(); cancel(context.Canceled) }
	return m
}

// whyNot returns the error for a wait that ctx has ended. It tells what was missing, and why the
// latest attempt failed.
func (m *Member) whyNot(ctx context.Context, lacking string) error {
	m.mu.Lock()
	failure := m.failure
	m.mu.Unlock()
	why := context.Cause(ctx)
	if _, err := m.client.Session(ctx); errors.Is(err, why) {
		why = err // there is no session, and the error tells what is wrong with each server
	} else if failure != nil {
		return fmt.Errorf("group: %s: %s: %w (%w)", m.node, lacking, why, failure)
	}
	return fmt.Errorf("group: %s: %s: %w", m.node, lacking, why)
}

// ID returns the member's ID.
func (m *Member) ID() string { return m.cfg.ID }

// Node returns the path of the member's znode.
func (m *Member) Node() string { return m.node }

// Context ends with the membership. The cause is a [*recipe.EndedError]. It wraps [ErrReplaced] if
// another member has joined with the same ID, and its znode was there when this member found out.
// It has the values of the context that was given to Join. If a member has lost its listing and
// tries to be listed again, the context goes on. For work that others hand out, use
// [Listing.Context].
func (m *Member) Context() context.Context { return m.ctx }

// Valid reports whether the member is listed at this moment: its znode is there, and no process
// that waits for [session.Outlast] has given its work to another. It costs two clock reads and no
// request. If the member may have been unlisted in between, compare tokens: see [Member.Listing].
func (m *Member) Valid() bool {
	m.mu.Lock()
	l := m.listing
	m.mu.Unlock()
	return l != nil && l.Valid()
}

// Listing returns the present listing, or waits for the next one. The error wraps the cause of ctx,
// or of [Member.Context] when the membership is over.
func (m *Member) Listing(ctx context.Context) (*Listing, error) {
	for {
		m.mu.Lock()
		l, changed := m.listing, m.changed.Next()
		m.mu.Unlock()
		if l != nil && l.Context().Err() == nil {
			return l, nil
		}
		select {
		case <-changed:
		case <-m.ctx.Done():
			return nil, context.Cause(m.ctx)
		case <-ctx.Done():
			return nil, m.whyNot(ctx, "not listed")
		}
	}
}

// Set replaces the member's data. It returns nil when ZooKeeper has them, or later ones. If ctx
// ends before that, the data are still written as soon as possible, unless a later Set replaces
// them. If the data are refused, the earlier data stay. Data that somebody else writes to the znode
// are replaced by the member's. The error wraps the cause of ctx; the cause of [Member.Context]
// when the membership is over; or why the data were refused, such as zk.ErrNoAuth. It wraps
// [session.ErrTooLarge] if the data have cost two connections: servers break the connection on a
// request that is longer than their jute.maxbuffer.
func (m *Member) Set(ctx context.Context, data []byte) error {
	if m.cfg.Style == StyleParty {
		return errors.New("group: a member of StyleParty has no data: its znode holds the ID")
	}
	if len(data) > ident.MaxData {
		return fmt.Errorf("group: Set was given %d bytes; want at most %d", len(data), ident.MaxData)
	}
	m.mu.Lock()
	m.data = bytes.Clone(data)
	m.asked++
	asked := m.asked
	m.mu.Unlock()
	m.signal()
	for {
		m.mu.Lock()
		written, refusal, changed := m.written, m.refusal, m.changed.Next()
		m.mu.Unlock()
		if written >= asked {
			return refusal
		}
		select {
		case <-changed:
		case <-m.ctx.Done():
			return context.Cause(m.ctx)
		case <-ctx.Done():
			return m.whyNot(ctx, "the data are not written yet")
		}
	}
}

// Leave ends the membership: Valid is false from now on, then the znode is deleted. It returns nil
// when the znode is gone. If ctx ends before that, the deletion goes on in the background, and
// [session.Client.Close] waits for it. Leave may be called more than once, also when the membership
// is over already. The error wraps the cause of ctx, or the reason why the znode stays until its
// session ends, such as [session.ErrClosed] when the client was closed while no server answered.
func (m *Member) Leave(ctx context.Context) error {
	m.quit(&recipe.EndedError{Reason: recipe.ReasonReleased})
	if tenure.Await(ctx, m.done) != nil {
		return m.whyNot(ctx, "not deleted yet")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left
}

// quit ends the membership, the first time.
func (m *Member) quit(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	if m.listing != nil { // before the znode goes
		m.listing.end(reasonOf(cause))
	}
	m.end(cause)
}

// reasonOf returns what a cause tells.
func reasonOf(cause error) (recipe.Reason, error) {
	var ended *recipe.EndedError
	if errors.As(cause, &ended) {
		return ended.Reason, ended.Err
	}
	return recipe.ReasonReleased, cause
}

func (m *Member) signal() { notify.Signal(m.wake) }

// update changes what callers wait for, and wakes them.
func (m *Member) update(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.changed.Tell()
}
