package latch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

// MaxParties is the largest number of parties. It is bounded because each process that waits reads
// the names of all.
const MaxParties = 5000

const (
	prefix  = "party-"
	maxName = 128
)

// Config configures a latch. The zero value works.
type Config struct {
	// ACL of the path, its parents and the parties' znodes when they are created. It has to grant
	// READ and CREATE to all who use the latch. Default: the session's. An empty ACL means the
	// default.
	ACL []zk.ACL
}

// Latch opens when n parties have counted. All methods may be called from any goroutine.
type Latch struct {
	client *session.Client
	path   string
	n      int
	cfg    Config
}

// New returns the latch at path, an absolute znode path other than "/", of at most 4096 bytes, for
// n parties: 1 to [MaxParties]. All must agree on n. It checks its arguments and does no I/O.
func New(client *session.Client, path string, n int, cfg Config) (*Latch, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("latch: %w", err)
	}
	if n < 1 || n > MaxParties {
		return nil, fmt.Errorf("latch: %d parties; want 1 to %d", n, MaxParties)
	}
	var err error
	if cfg.ACL, err = ident.ACL(cfg.ACL); err != nil {
		return nil, fmt.Errorf("latch: %w", err)
	}
	return &Latch{client: client, path: path, n: n, cfg: cfg}, nil
}

// CountDown counts the party of that name once, and returns nil when it has counted, now or before.
// The name is a part of a znode's path, of at most 128 bytes and without a slash. Choose one that
// the party has again after a restart, such as the number of a shard. If n parties have counted
// already, another party changes nothing.
//
// It tries until ctx ends. The error is the cause of ctx, session.ErrClosed, or a
// [*github.com/zkrecipe/zkrecipe/recipe.PermanentError]. Then the party may have counted; to be
// sure, call CountDown again.
func (l *Latch) CountDown(ctx context.Context, party string) error {
	znode := l.path + "/" + prefix + party
	if party == "" || len(party) > maxName || strings.Contains(party, "/") || session.CheckPath(znode) != nil {
		return fmt.Errorf("latch: the party is %q; want a part of a path, of 1 to %d bytes", party, maxName)
	}
	return life.InEach(ctx, l.client, l.path, func(s *session.Session) error {
		return s.EnsureNode(ctx, znode, nil, l.cfg.ACL)
	})
}

// Wait waits until n parties have counted, and returns nil at once if they have. It creates the
// path if it is missing. It continues after a loss of the session. The error is the cause of ctx,
// session.ErrClosed, or a [*github.com/zkrecipe/zkrecipe/recipe.PermanentError].
func (l *Latch) Wait(ctx context.Context) error {
	return life.InEach(ctx, l.client, l.path, func(s *session.Session) error {
		// A missing path has no watch, so its creation would be noticed late.
		if err := s.EnsurePath(ctx, l.path, l.cfg.ACL); err != nil {
			return err
		}
		children := watch.NewChildren(s, l.path)
		defer children.Stop()
		for {
			list, err := children.Next(ctx)
			if err != nil || counted(list.Names) >= l.n {
				return err
			}
		}
	})
}

// Count returns how many parties have yet to count: 0 when the latch is open. It sees all who had
// counted before it was called. Its errors are those of Wait.
func (l *Latch) Count(ctx context.Context) (left int, err error) {
	err = life.InEach(ctx, l.client, l.path, func(s *session.Session) error {
		// Without it, a server that lags would show who had counted some time ago.
		there, err := s.QuorumSync(ctx, l.path)
		if err != nil || !there {
			left = l.n
			return err
		}
		names, _, err := s.Children(ctx, l.path)
		left = max(0, l.n-counted(names))
		if errors.Is(err, zk.ErrNoNode) {
			return nil // deleted a moment ago
		}
		return err
	})
	return left, err
}

// counted returns how many of the names are of parties.
func counted(names []string) (n int) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}
