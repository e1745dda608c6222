package semaphore

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Config configures a semaphore. The zero value works.
type Config struct {
	// ID names the process for people. It decides nothing, and two processes may have the same ID.
	// At most 256 bytes of UTF-8 without control characters. Default: host name, process id and a
	// random part.
	ID string

	// Slots numbers the permits: each has a slot of its own from 0 to size - 1, with a fencing
	// token for each slot. It costs one more write per permit. All users of the path should set it,
	// or none: a permit without a slot counts, and leaves a slot unused. At most 4,096 permits can
	// have slots. If the size at the path is larger, a Semaphore with Slots gets a [*SizeError].
	Slots bool

	// ACL of our znodes, and of the path if it must be created. It has to grant us READ. Where the
	// path is created with it, it has to grant READ, WRITE, CREATE and DELETE to all who use the
	// path. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL

	// StopBefore is how long before the end of the lease a permit's context is cancelled: the time
	// for work in progress to stop before another may have the permit. At most a quarter of
	// session.Config.Lease, D. Default D/16. If servers grant so short a session timeout that the
	// lease is cut, StopBefore is cut to a quarter of that shorter lease, and Logger gets a line.
	// Work that takes longer to stop may still run when another has the permit.
	StopBefore time.Duration

	// DrainTimeout is how long a permit waits for its Release after it has ended otherwise, for
	// example because Do's context ended or the client was closed. After that its znode is deleted
	// without the release. Close of the client may take as long. Default 30 s, at most 24 h.
	DrainTimeout time.Duration

	// OnEvent, if set, is called with every event, in order and one at a time, from a goroutine
	// that nobody waits for. It may be slow, and may call anything of this library. Up to 1000
	// events wait for it; more are dropped.
	OnEvent func(Event)

	// Logger gets one line per transition, from a goroutine of its own: nothing waits for it.
	// Default: the client's, session.Config.Logger. slog.New(slog.DiscardHandler) is silent.
	Logger *slog.Logger
}

const (
	maxSize  = 10_000
	maxSlots = 4096 // so that the table of them fits into a request
)

// withDefaults returns a checked copy.
func (c Config) withDefaults(client *session.Client) (Config, error) {
	var err error
	if c.ID, err = ident.ID(c.ID, nil); err != nil {
		return c, fmt.Errorf("semaphore: %w", err)
	}
	if err := tenure.CheckStopBefore(c.StopBefore, client); err != nil {
		return c, fmt.Errorf("semaphore: %w", err)
	}
	if c.DrainTimeout, err = tenure.DrainTimeout(c.DrainTimeout); err != nil {
		return c, fmt.Errorf("semaphore: %w", err)
	}
	if c.ACL, err = ident.ACL(c.ACL); err != nil {
		return c, fmt.Errorf("semaphore: %w", err)
	}
	return c, nil
}

// most returns how many permits there can be.
func (c Config) most() int {
	if c.Slots {
		return maxSlots
	}
	return maxSize
}
