package barrier

import (
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Config configures a barrier. The zero value works.
type Config struct {
	// ID is what the znode of a member of a [Double] holds, for people to read. At most 256 bytes
	// of UTF-8 without control characters. Default: host name, process id and a random part.
	ID string

	// ACL of the znodes, and of the path and its parents if they must be created. It has to grant
	// READ, WRITE, CREATE and DELETE to all who use the barrier; those who only wait at a [Barrier]
	// need READ. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL

	// StopBefore is how long before the end of the lease the context of a [Round] ends. At most a
	// quarter of session.Config.Lease. Default a sixteenth of the lease. If servers grant so short
	// a session timeout that the lease is cut, StopBefore is cut to a quarter of that shorter
	// lease.
	StopBefore time.Duration
}

// withDefaults returns a checked copy.
func (c Config) withDefaults(client *session.Client) (Config, error) {
	var err error
	if c.ID, err = ident.ID(c.ID, nil); err != nil {
		return c, fmt.Errorf("barrier: %w", err)
	}
	if c.ACL, err = ident.ACL(c.ACL); err != nil {
		return c, fmt.Errorf("barrier: %w", err)
	}
	if err := tenure.CheckStopBefore(c.StopBefore, client); err != nil {
		return c, fmt.Errorf("barrier: %w", err)
	}
	return c, nil
}
