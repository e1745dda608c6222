package value

import (
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/journal"
	"github.com/zkrecipe/zkrecipe/session"
)

// Config configures a [Value]. The zero value works.
type Config struct {
	// Journals is the path of the directory for the journals, below the chroot. It is created when
	// it is missing, and needs CREATE. Default "/zkrecipe/journals".
	Journals string

	// Durable, if set, is the name of a journal that outlives the session. Then the next session
	// finds out the outcome of a change. Only one Value or Counter may use it at a time, and it
	// stays when the program ends. Choose a name that this program uses again after a restart. If
	// somebody deletes the journal, a random part is added to the name of the next one. At most 128
	// bytes without a slash.
	Durable string

	// ACL of the znode, its parents, the journal and the directory of the journals if they must be
	// created. It has to grant us READ, WRITE, CREATE and DELETE, and also to all others who have
	// journals in the same directory. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL
}

const (
	defaultJournals = "/zkrecipe/journals"
	maxName         = 128
)

// journal returns what package journal needs, checked.
func (c Config) journal(client *session.Client, path string) (journal.Config, error) {
	out := journal.Config{Path: path, Dir: c.Journals, Durable: c.Durable, ACL: c.ACL}
	if err := client.CheckPath(path); err != nil {
		return out, fmt.Errorf("value: %w", err)
	}
	if out.Dir == "" {
		out.Dir = defaultJournals
	}
	if err := client.CheckPath(out.Dir); err != nil {
		return out, fmt.Errorf("value: Config.Journals: %w", err)
	}
	if len(c.Durable) > maxName || strings.Contains(c.Durable, "/") || c.Durable != "" && session.CheckPath("/"+c.Durable) != nil {
		return out, fmt.Errorf("value: Config.Durable is %q; want a znode's name of at most %d bytes", c.Durable, maxName)
	}
	var err error
	if out.ACL, err = ident.ACL(c.ACL); err != nil {
		return out, fmt.Errorf("value: %w", err)
	}
	return out, nil
}
