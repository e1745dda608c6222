package election

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Style is how a candidate's znode is named. Candidates of all styles stand in one line. The style
// matters to candidates of other libraries: each of them waits only for the names that it knows, so
// all of ours need the style of the others in the line.
type Style string

const (
	// StyleLatch names znodes as Apache Curator's LeaderLatch does.
	StyleLatch Style = "latch"
	// StyleLock names znodes as Curator's LeaderSelector does, and zk.Lock.
	StyleLock Style = "lock"
	// StyleKazoo names znodes so that Election and Lock of Python's kazoo, and zk.Lock, take them
	// for candidates.
	StyleKazoo Style = "kazoo"
)

// Config configures a candidate. The zero value works.
type Config struct {
	// ID names the candidate for people and observers. It decides nothing, and two candidates may
	// have the same ID. At most 256 bytes of UTF-8 without control characters. Default: host name,
	// process id and a random part.
	ID string

	// Data goes into the candidate's znode for observers to read, for instance the address under
	// which the leader is reached. At most 1,000,000 bytes.
	Data []byte

	// Style of the znode's name. Default [StyleLatch].
	Style Style

	// ACL of the candidate's znode and of the election path if it must be created. It has to grant
	// us READ. Where the path is created with it, it has to grant READ, WRITE, CREATE and DELETE to
	// all candidates. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL

	// StopBefore is how long before the end of the lease a term's context is cancelled: the time
	// for work in progress to stop before another may lead. At most a quarter of
	// session.Config.Lease, D: then a term outlives a pause of this process if the pause is shorter
	// than D/2 by the time of a heartbeat. Default D/16. If servers grant so short a session
	// timeout that the lease is cut, StopBefore is cut to a quarter of that shorter lease, and
	// Logger gets a line. Work that takes longer to stop may still run when another leads.
	StopBefore time.Duration

	// DrainTimeout is how long a term that has ended waits for the callback to return. After that
	// the znode is deleted even if the callback has not returned. Close and a cancelled Run may
	// take as long. Default 30 s, at most 24 h.
	DrainTimeout time.Duration

	// Healthy, if set, is called every HealthEvery. If it returns an error, the candidate resigns
	// and stays out of the line until it returns nil. Its context ends after HealthEvery. A panic
	// in it ends the process.
	Healthy func(context.Context) error

	// HealthEvery is the time between two calls of Healthy. Default 1 s. Without Healthy it has to
	// be 0.
	HealthEvery time.Duration

	// OnEvent, if set, is told of every event, as by [Election.Subscribe].
	OnEvent func(Event)

	// FollowLeader adds [EventLeaderChanged] to the events. It makes this candidate read the
	// leader's znode at every change of leader. If there is no permission to read the path, it does
	// what an [Observer] does, and sends [EventFailed] once.
	FollowLeader bool

	// Logger gets one line per transition, from a goroutine of its own: nothing waits for it.
	// Default: the client's, session.Config.Logger. slog.New(slog.DiscardHandler) is silent.
	Logger *slog.Logger
}

const defaultHealthEvery = time.Second

// withDefaults returns a checked copy.
func (c Config) withDefaults(client *session.Client) (Config, error) {
	bad := func(field string, value any, want string) (Config, error) {
		return c, fmt.Errorf("election: Config.%s is %v; want %s", field, value, want)
	}
	var err error
	if c.ID, err = ident.ID(c.ID, c.Data); err != nil {
		return c, fmt.Errorf("election: %w", err)
	}
	switch c.Style = cmp.Or(c.Style, StyleLatch); c.Style {
	case StyleLatch, StyleLock, StyleKazoo:
	default:
		return bad("Style", fmt.Sprintf("%q", c.Style), fmt.Sprintf("%q, %q or %q", StyleLatch, StyleLock, StyleKazoo))
	}
	if err := tenure.CheckStopBefore(c.StopBefore, client); err != nil {
		return c, fmt.Errorf("election: %w", err)
	}
	if c.DrainTimeout, err = tenure.DrainTimeout(c.DrainTimeout); err != nil {
		return c, fmt.Errorf("election: %w", err)
	}
	if c.HealthEvery != 0 && c.Healthy == nil {
		return bad("HealthEvery", c.HealthEvery, "0, because Config.Healthy is not set")
	}
	if c.HealthEvery < 0 || c.HealthEvery > tenure.Longest {
		return bad("HealthEvery", c.HealthEvery, fmt.Sprintf("0 for %v, or up to %v", defaultHealthEvery, tenure.Longest))
	}
	c.HealthEvery = cmp.Or(c.HealthEvery, defaultHealthEvery)
	if c.ACL, err = ident.ACL(c.ACL); err != nil {
		return c, fmt.Errorf("election: %w", err)
	}
	return c, nil
}

func (s Style) line() line.Style {
	switch s {
	case StyleLock:
		return line.Lock
	case StyleKazoo:
		return line.Kazoo
	}
	return line.Latch
}
