package lock

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Style is how a contender's znode is named. Contenders of all styles stand in one line. The style
// matters to contenders of other libraries: each of them waits only for the names that it knows. So
// all of ours need the style of the others in the line.
type Style string

const (
	// StyleCurator names znodes as the locks of Apache Curator do, and zk.Lock.
	StyleCurator Style = "curator"
	// StyleKazoo names znodes so that the locks of Python's kazoo, and zk.Lock, take them for
	// contenders.
	StyleKazoo Style = "kazoo"
)

// Config configures a lock. The zero value works.
type Config struct {
	// ID names the contender for people. It decides nothing, and two contenders may have the same
	// ID. At most 256 bytes of UTF-8 without control characters. Default: host name, process id and
	// a random part.
	ID string

	// Data goes into the contender's znode, for [Lock.Contenders] to read. At most 1,000,000 bytes.
	Data []byte

	// Style of the znode's name. Default [StyleCurator].
	Style Style

	// ACL of the contender's znode and of the path if it must be created. It has to grant us READ.
	// Where the path is created with it, it has to grant READ, WRITE, CREATE and DELETE to all who
	// use the path. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL

	// StopBefore is how long before the end of the lease a [Held]'s context is cancelled: the time
	// for work in progress to stop before another may hold the lock. At most a quarter of
	// session.Config.Lease, D. Default D/16. If servers grant so short a session timeout that the
	// lease is cut, StopBefore is cut to a quarter of that shorter lease, and Logger gets a line.
	// Work that takes longer to stop may still run when another holds the lock.
	StopBefore time.Duration

	// DrainTimeout is how long a Held waits for its Release after it has ended otherwise, for
	// example because Do's context ended or the client was closed. After that its znode is deleted
	// without the release. Default 30 s, at most 24 h.
	DrainTimeout time.Duration

	// Reentrant lets Acquire succeed at once under a context of a [Held] of the same lock. The lock
	// is released when all of these Helds are released. Without Reentrant such an Acquire returns
	// [ErrNested].
	//
	// Under a DrainContext whose Held has ended, the Held that Acquire returns has ended, too:
	// Valid is false, and only DrainContext goes on. [Lock.Do] gives its function a context that
	// goes on.
	Reentrant bool

	// Cleanup deletes the path when a holder leaves and nobody else stands in the line, in the
	// transaction that deletes the holder's znode. It is for very many objects with one lock path
	// each. The path's data go with it, whatever they are. Fencing tokens still grow.
	//
	// A path stays if somebody else is the last to leave it: a reader, also one that was the
	// writer; a waiter that gives up; a holder whose session ends. The next writer that leaves an
	// empty line deletes it. Where mostly readers use the paths of an [RW], call TryAcquire of
	// [RW.Write] for each path from time to time, and Release at once. The path is in use if
	// TryAcquire returns [ErrBusy]. To create the paths as container znodes does not help: where a
	// path is missing, the library creates a plain znode.
	Cleanup bool

	// OnRevoke, if set, is called once for each Held that somebody asks to release, by
	// [Lock.Revoke] or by Curator's Revoker. It may release the lock or not. It is called from a
	// goroutine of its own, like OnEvent. Up to 1000 calls wait for it; more are left out, and
	// counted in [recipe.Status.EventsDropped].
	OnRevoke func(*Held)

	// OnEvent, if set, is called with every event, in order and one at a time, from a goroutine
	// that no contender waits for. It may be slow, and may call anything of this library. Up to
	// 1000 events wait for it; more are dropped.
	OnEvent func(Event)

	// Logger gets one line per transition, from a goroutine of its own: nothing waits for it.
	// Default: the client's, session.Config.Logger. slog.New(slog.DiscardHandler) is silent.
	Logger *slog.Logger
}

// withDefaults returns a checked copy.
func (c Config) withDefaults(client *session.Client) (Config, error) {
	bad := func(field string, value any, want string) (Config, error) {
		return c, fmt.Errorf("lock: Config.%s is %v; want %s", field, value, want)
	}
	var err error
	if c.ID, err = ident.ID(c.ID, c.Data); err != nil {
		return c, fmt.Errorf("lock: %w", err)
	}
	switch c.Style = cmp.Or(c.Style, StyleCurator); c.Style {
	case StyleCurator, StyleKazoo:
	default:
		return bad("Style", fmt.Sprintf("%q", c.Style), fmt.Sprintf("%q or %q", StyleCurator, StyleKazoo))
	}
	if err := tenure.CheckStopBefore(c.StopBefore, client); err != nil {
		return c, fmt.Errorf("lock: %w", err)
	}
	if c.DrainTimeout, err = tenure.DrainTimeout(c.DrainTimeout); err != nil {
		return c, fmt.Errorf("lock: %w", err)
	}
	if c.ACL, err = ident.ACL(c.ACL); err != nil {
		return c, fmt.Errorf("lock: %w", err)
	}
	return c, nil
}

func (s Style) line() line.Style {
	if s == StyleKazoo {
		return line.Kazoo
	}
	return line.Lock
}
