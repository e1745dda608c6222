package value

import (
	"bytes"
	"context"
	"errors"

	"github.com/zkrecipe/zkrecipe/recipe/internal/journal"
	"github.com/zkrecipe/zkrecipe/session"
)

// Versioned is what a znode holds, and since when. [Value.CompareAndSet] takes one that was
// returned by this package, or the zero one, which says that there is no znode.
type Versioned struct {
	// Data are the caller's to keep and to change.
	Data []byte
	// Zxid is the transaction that has written the data: each write has its own, and a later one
	// has a larger one, also after the znode was deleted and created again. 0: the znode does not
	// exist.
	Zxid int64
}

// Exists reports whether there is a znode.
func (v Versioned) Exists() bool { return v.Zxid != 0 }

// Value is a znode whose data many may change. Its methods may be called from any goroutine. Keep
// one Value as long as the program changes the znode. Its journal stays in the session until Close
// is called.
type Value struct {
	client *session.Client
	path   string
	znode  *journal.Znode
}

// New returns the value of the znode at path, an absolute znode path other than "/", of at most
// 4096 bytes. It checks its arguments and does no I/O. The znode need not exist.
func New(client *session.Client, path string, cfg Config) (*Value, error) {
	c, err := cfg.journal(client, path)
	if err != nil {
		return nil, err
	}
	return &Value{client: client, path: path, znode: journal.New(client, c)}, nil
}

// errKept is a change that changes nothing.
var errKept = errors.New("kept as it is")

// Get returns what the znode holds. It sees every change that was acknowledged, to any client,
// before it was called. That costs a quorum write, because one server alone cannot know it. A
// [Watcher] costs less.
func (v *Value) Get(ctx context.Context) (Versioned, error) {
	before, _, err := v.znode.Do(ctx, func(journal.State) ([]byte, error) { return nil, errKept })
	if err != nil && !errors.Is(err, errKept) {
		return Versioned{}, explained(ctx, v.path, err)
	}
	return versioned(before), nil
}

// CompareAndSet replaces old, which Get, Watcher.Next or a change has returned, by data. The zero
// Versioned stands for a znode that does not exist, which is then created, with its parents. If the
// znode holds another value, the error is a [ConflictError] with that value, and nothing was
// written. An old value that has data and no Zxid is refused, because it was not read from a znode.
func (v *Value) CompareAndSet(ctx context.Context, old Versioned, data []byte) (Versioned, error) {
	if old.Zxid == 0 && len(old.Data) > 0 {
		return Versioned{}, failed("%s: CompareAndSet was given data without their Zxid; want what Get or a change has returned, or the zero Versioned for no znode", v.path)
	}
	data = bytes.Clone(data) // the caller may go on before it has been sent for the last time
	before, after, err := v.znode.Do(ctx, func(now journal.State) ([]byte, error) {
		if now.Zxid != old.Zxid {
			return nil, errKept
		}
		return data, nil
	})
	switch {
	case errors.Is(err, errKept):
		return Versioned{}, &ConflictError{Path: v.path, Now: versioned(before)}
	case err != nil:
		return Versioned{}, explained(ctx, v.path, err)
	}
	return versioned(after), nil
}

// Update replaces the value by the result of f. f gets nil if the znode does not exist. If another
// change comes first, f is called again with what the znode then holds. f may append to old.
//
// Update writes what f returns even if the znode holds that already: the value gets another Zxid,
// and watchers hear of it. If f returns an error, nothing is written, and Update returns that error
// with the value that f was given. So return an error of your own if nothing is to change.
//
// The first value that f gets may be old. If f returns an error for it, Update makes a Get, and
// calls f again if the znode holds another value. If the Get fails, Update returns the error of the
// Get.
func (v *Value) Update(ctx context.Context, f func(old []byte) ([]byte, error)) (Versioned, error) {
	if f == nil {
		return Versioned{}, failed("%s: Update was given a nil function", v.path)
	}
	before, _, err := v.znode.Do(ctx, func(journal.State) ([]byte, error) { return nil, journal.ErrPeek })
	if err != journal.ErrPeek {
		return Versioned{}, explained(ctx, v.path, err)
	}
	now, sure := versioned(before), false // sure: the znode has held it during this call
	for {
		data, refusal := f(bytes.Clone(now.Data))
		if refusal == nil {
			next, err := v.CompareAndSet(ctx, now, data)
			var conflict *ConflictError
			if !errors.As(err, &conflict) {
				return next, err
			}
			now, sure = conflict.Now, true
			continue
		}
		if sure {
			return now, refusal
		}
		is, err := v.Get(ctx)
		if err != nil {
			return Versioned{}, err
		}
		if is.Zxid == now.Zxid {
			return now, refusal
		}
		now, sure = is, true
	}
}

// Close waits for the changes that are under way, and deletes the journal from the session, unless
// it is durable. It is for a program that makes more and more Values on one client: see
// [session.ErrTooManyEphemerals]. A change after Close makes another journal.
func (v *Value) Close(ctx context.Context) error { return undeleted(v.path, v.znode.Drop(ctx)) }

// Counts are totals of a Value or a Counter, for metrics.
type Counts struct {
	// Changes is how many changes were carried out, by Writes transactions: one may carry several
	// additions.
	Changes, Writes uint64
	// Conflicts are attempts that were too late, because somebody else had changed the znode.
	Conflicts uint64
	// Lost is how many answers were lost. Unknown is how many changes have an unknown outcome.
	Lost, Unknown uint64
}

// Counts returns the totals. It never blocks.
func (v *Value) Counts() Counts { return Counts(v.znode.Counts()) }

// versioned returns a copy, because a Znode goes on using its own.
func versioned(s journal.State) Versioned { return Versioned{bytes.Clone(s.Data), s.Zxid} }
