package barrier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
)

// ErrFull: a round is under way, and the member that wants to enter is not in it. It can enter the
// next round, when all have left.
var ErrFull = errors.New("barrier: all members are inside already")

// ErrDisagree: the member was counted into a round, but the round has another number of members
// than [NewDouble] was given. The member does not enter. Members that were given the round's number
// do.
var ErrDisagree = errors.New("barrier: the members do not agree on how many they are")

const (
	firstDelay   = 20 * time.Millisecond
	longestDelay = time.Second
	// maxBytes bounds the transaction that counts all members. A server reads 1 MiB by default.
	maxBytes = 800_000
	// perMember are the bytes for one in that transaction, without the barrier's path: its check
	// and its name in "ready".
	perMember = 140
)

// Double lets n members in together, and out together. All methods may be called from any
// goroutine. A Double may be used for one round after another, and by several members of one
// process.
type Double struct {
	client *session.Client
	path   string
	n      int
	cfg    Config
	clock  clock.Clock
}

// NewDouble returns the double barrier at path, an absolute znode path other than "/", of at most
// 4096 bytes, for n members. All must agree on n, see [ErrDisagree]. It checks its arguments and
// does no I/O. The path and its parents are created when they are missing, and never deleted. All
// members are counted in one transaction. That bounds n to some 5,000 with short paths.
func NewDouble(client *session.Client, path string, n int, cfg Config) (*Double, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	if most := maxBytes / (perMember + len(path)); n < 1 || n > most {
		return nil, fmt.Errorf("barrier: %d members; want 1 to %d with this path", n, most)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	return &Double{client: client, path: path, n: n, cfg: cfg, clock: clock.From(client.Context())}, nil
}

// Enter waits until n members are there, and returns the round of this member. The znodes of all n
// existed at one moment, and no other member is in the round. ctx bounds only the wait.
//
// The error is [ErrFull] if a round without this member is under way; one that wraps [ErrDisagree]
// if the round has another number of members; a [*recipe.EndedError] if its session or its znode
// was lost while it waited or entered; one that wraps the cause of ctx; session.ErrClosed; or a
// [*recipe.PermanentError]. Then its znode is deleted, in the background if necessary, and the
// others do not count it any more, unless it was lost in the moment in which all had entered.
func (d *Double) Enter(ctx context.Context) (*Round, error) {
	l := life.Begin(context.WithoutCancel(ctx), d.client, "double barrier", d.path, d.cfg.ID)
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer life.EndWith(l.Context(), cancel)()
	for {
		s, err := d.client.Session(waiting)
		if err != nil {
			l.End()
			return nil, cut(ctx, d.path, "not entered", err)
		}
		e := &entry{d: d, s: s, wake: make(chan struct{}, 1)}
		r, err := e.enter(waiting)
		switch {
		case err == nil:
			r.begin(ctx, l)
			return r, nil
		case e.path == "" && s.Err() != nil && waiting.Err() == nil:
			continue // it was not there yet
		}
		defer l.End()
		e.abandon()
		return nil, cut(ctx, d.path, e.lacking(), d.refused(err, s, waiting))
	}
}

// refused returns what Enter returns for err.
func (d *Double) refused(err error, s *session.Session, waiting context.Context) error {
	switch {
	case errors.Is(err, ErrFull), errors.Is(err, ErrDisagree):
	case waiting.Err() != nil:
		return context.Cause(waiting)
	case s.Err() != nil:
		return &recipe.EndedError{Reason: recipe.ReasonSessionLost, Err: s.Err()}
	case errors.Is(err, errGone):
		return &recipe.EndedError{Reason: recipe.ReasonNodeDeleted}
	case session.Permanent(err):
		return &recipe.PermanentError{Path: d.path, Err: err}
	}
	return err
}
