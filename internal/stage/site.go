package stage

import (
	"cmp"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
)

// A Site is what a test of OnBoth needs: a directory of its own on the servers, and an
// administrator who sees what is there.
type Site struct {
	T       *testing.T
	Servers Servers
	Dir     string // is empty
	Admin   *session.Session
}

// SiteT is the session timeout of a Site's clients: the longest that ensemble.Common grants.
const SiteT = 10 * time.Second

// NewSite makes a directory whose name begins with prefix.
func NewSite(t *testing.T, servers Servers, prefix string) *Site {
	t.Helper()
	x := &Site{T: t, Servers: servers}
	x.Admin = x.Session(x.Client(session.Config{}))
	var err error
	x.Dir, err = x.Admin.Create(await.Context(t), "/"+prefix+"-", nil, zk.FlagSequence, nil)
	Must(t, err)
	return x
}

// Client opens a client of the servers.
func (x *Site) Client(cfg session.Config) *session.Client {
	x.T.Helper()
	return x.ClientAt(x.Servers, cfg)
}

// ClientAt opens a client of proxies in front of the servers.
func (x *Site) ClientAt(servers Servers, cfg session.Config) *session.Client {
	x.T.Helper()
	cfg.Timeout, cfg.Dial, cfg.Logger = SiteT, servers.Dial, cmp.Or(cfg.Logger, Logger(x.T.Name()))
	return Open(x.T, servers.ConnectString(), cfg)
}

// Session waits for a client's session.
func (x *Site) Session(c *session.Client) *session.Session {
	x.T.Helper()
	s, err := c.Session(await.Context(x.T))
	Must(x.T, err)
	return s
}

// CaughtUp lets the server of a client catch up with the ensemble. A sync would not do: a leader
// answers it at once, although it may not have applied yet what a follower has acknowledged.
func (x *Site) CaughtUp(c *session.Client) {
	x.T.Helper()
	x.caughtUp(x.Session(c))
}

func (x *Site) caughtUp(s *session.Session) {
	x.T.Helper()
	_, err := s.QuorumSync(await.Context(x.T), "/")
	Must(x.T, err)
}

// Exists reports whether there is a znode now.
func (x *Site) Exists(path string) bool {
	x.T.Helper()
	there, err := x.Admin.QuorumSync(await.Context(x.T), path)
	Must(x.T, err)
	return there
}

// Children lists the children of a znode as they are now, none if the znode is missing.
func (x *Site) Children(path string) []string {
	x.T.Helper()
	x.caughtUp(x.Admin)
	names, _, err := x.Admin.Children(await.Context(x.T), path)
	if !errors.Is(err, zk.ErrNoNode) {
		Must(x.T, err)
	}
	return names
}

// Data returns what a znode holds now.
func (x *Site) Data(path string) string {
	x.T.Helper()
	x.caughtUp(x.Admin)
	data, _, err := x.Admin.Get(await.Context(x.T), path)
	Must(x.T, err)
	return string(data)
}

// Make makes a znode, and its parents.
func (x *Site) Make(path string) {
	x.T.Helper()
	Must(x.T, x.Admin.EnsurePath(await.Context(x.T), path, nil))
}

// Delete deletes a znode.
func (x *Site) Delete(path string) {
	x.T.Helper()
	Must(x.T, x.Admin.Delete(await.Context(x.T), path, -1))
}

// Pass lets time pass in a bubble, for what must not happen meanwhile. On real servers it returns
// at once: there the time would be real.
func (x *Site) Pass(d time.Duration) {
	if _, bubble := x.Servers.(*Stage); bubble {
		await.Sleep(d)
	}
}

// Soon calls f. In a bubble it demands that f waits for no lease to lapse. On a busy machine f may
// take longer, whatever the library does.
func (x *Site) Soon(what string, f func()) {
	x.T.Helper()
	begun := time.Now()
	f()
	if _, bubble := x.Servers.(*Stage); bubble && time.Since(begun) > session.DefaultLease/4 {
		x.T.Errorf("%s took %v", what, time.Since(begun))
	}
}
