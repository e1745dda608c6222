package group

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// Config configures a member, and what follows the group. The zero value works.
type Config struct {
	// ID names the member. With [StyleNamed] it is the name of its znode, so each ID has one member
	// at a time: a later member replaces an earlier one. At most 256 bytes of UTF-8 without control
	// characters; a slash is possible with [StyleParty] only. Default: host name, process id and a
	// random part. Set it if the member is to have the same ID after a restart.
	ID string

	// Data is what other processes read of the member, for instance its address. [Member.Set]
	// changes it. At most 1,000,000 bytes. With [StyleParty] there is none.
	Data []byte

	// Style of the znode's name. Default [StyleNamed].
	Style Style

	// ACL of the member's znode, and of the group's path and its parents if they must be created.
	// It has to grant us READ and WRITE, and CREATE and DELETE too where the path is created with
	// it. Default: the session's. An empty ACL means the default.
	ACL []zk.ACL

	// NoLease turns the lease off. Then [Member.Valid] is always false, and nothing is promised
	// about how long the member believes itself listed. The session does not beat for it, which
	// saves 4 quorum writes per lease. The session has a heartbeat all the same, and beats when the
	// answer to the member's create was lost: after that beat the create cannot happen late. So it
	// needs CREATE on session.Config.Beats, and READ and WRITE on its heartbeat, as with a lease.
	// Use it if nobody gives a departed member's work to another, as for the registration of a
	// service.
	NoLease bool

	// StopBefore is how long before the end of the lease the context of a [Listing] ends. At most a
	// quarter of session.Config.Lease. Default a sixteenth of the lease. If servers grant so short
	// a session timeout that the lease is cut, StopBefore is cut to a quarter of that shorter
	// lease, and Logger gets a line.
	StopBefore time.Duration

	// Prove is the time between two proofs that the list of [Group.Watch] is up to date. Each proof
	// advances [Snapshot.AsOf]. A proof costs a quorum write that changes nothing, and a small
	// read. Default: the client's Config.Lease; at least a sixteenth of it. Negative: only when
	// [Members.Fresh] asks, and at the beginning of a session.
	Prove time.Duration

	// OnEvent, if set, is called with every event of a member, in order and one at a time, from a
	// goroutine that is not the member's. It may be slow, and may call anything of this library. Up
	// to 1000 events wait for it; more are dropped.
	OnEvent func(Event)

	// Logger gets one line per transition, from a goroutine of its own. Default: the client's,
	// session.Config.Logger. slog.New(slog.DiscardHandler) is silent.
	Logger *slog.Logger
}

const maxEvents = 1000

// withDefaults returns a checked copy.
func (c Config) withDefaults(client *session.Client) (Config, error) {
	bad := func(field string, value any, want string) (Config, error) {
		return c, fmt.Errorf("group: Config.%s is %v; want %s", field, value, want)
	}
	c.Style = cmp.Or(c.Style, StyleNamed)
	var err error
	if c.ID, err = ident.ID(c.ID, c.Data); err != nil {
		return c, fmt.Errorf("group: %w", err)
	}
	if c.ACL, err = ident.ACL(c.ACL); err != nil {
		return c, fmt.Errorf("group: %w", err)
	}
	switch c.Style {
	case StyleNamed, StyleParty, StyleShallow:
	default:
		return bad("Style", fmt.Sprintf("%q", c.Style), fmt.Sprintf("%q, %q or %q", StyleNamed, StyleParty, StyleShallow))
	}
	if err := tenure.CheckStopBefore(c.StopBefore, client); err != nil {
		return c, fmt.Errorf("group: %w", err)
	}
	switch lease := client.LeaseAsked(); {
	case c.Style != StyleParty && session.CheckPath("/"+c.ID) != nil, c.Style != StyleParty && strings.Contains(c.ID, "/"):
		return bad("ID", fmt.Sprintf("%q", c.ID), "one that can be the name of a znode, without a slash")
	case c.Style == StyleNamed && styleOf(c.ID) != StyleNamed:
		return bad("ID", fmt.Sprintf("%q", c.ID), "one that is not taken for a name of another style")
	case c.Style == StyleParty && len(c.Data) > 0:
		return bad("Data", fmt.Sprintf("%d bytes long", len(c.Data)), "none with StyleParty, whose znodes hold the ID")
	case c.Prove > 0 && c.Prove < lease/16:
		return bad("Prove", c.Prove, fmt.Sprintf("a sixteenth of the client's Config.Lease, %v, at least, 0 for the Lease, or -1", lease/16))
	}
	c.Prove = cmp.Or(c.Prove, client.LeaseAsked())
	return c, nil
}
