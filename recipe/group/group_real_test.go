package group_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/need"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// realPatience guards against hanging; nothing is measured by it.
const realPatience = 2 * time.Minute

func onServers(t *testing.T) (*ensemble.Ensemble, context.Context) {
	t.Helper()
	e := ensemble.Shared(t, ensemble.Config{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), realPatience)
	t.Cleanup(cancel)
	return e, ctx
}

func openReal(t *testing.T, connect string, cfg session.Config) *session.Client {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	return shared.Open(t, connect, cfg)
}

// awaitReal waits until a snapshot is what is wanted.
func awaitReal(t *testing.T, ctx context.Context, list *group.Members, what string, ok func(group.Snapshot) bool) group.Snapshot {
	t.Helper()
	for {
		now, err := list.Next(ctx)
		if err != nil {
			t.Fatalf("no %s: %v", what, err)
		}
		if ok(now) {
			return now
		}
	}
}

// network is one that can be cut for good, as by kill -9.
type network struct {
	mu    sync.Mutex // guards what follows
	down  bool
	conns []net.Conn
}

func (c *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.down {
		conn.Close()
		return nil, errors.New("cut")
	}
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *network) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	for _, conn := range c.conns {
		conn.Close()
	}
}

func TestOnServersAMemberThatStartsAgainTakesOverWithoutAGap(t *testing.T) {
	e, ctx := onServers(t)
	const path = "/group-restart"
	var old network
	_, err := join(ctx, openReal(t, e.ConnectString(), session.Config{Dial: old.dial}), path, group.Config{ID: "a"})
	must(t, err)
	list, err := watch(openReal(t, e.ConnectString(), session.Config{}), path, group.Config{})
	must(t, err)
	defer list.Close()
	first := awaitReal(t, ctx, list, "member", func(s group.Snapshot) bool { return ids(s) == "a" }).Members[0]
	old.cut()
	m, err := join(ctx, openReal(t, e.ConnectString(), session.Config{}), path, group.Config{ID: "a"})
	must(t, err)
	now := awaitReal(t, ctx, list, "new member", func(s group.Snapshot) bool {
		if ids(s) != "a" {
			t.Errorf("for a moment: %q", ids(s))
		}
		e, _ := s.ByID("a")
		return e.Token != first.Token
	})
	l, err := m.Listing(ctx)
	if err != nil || now.Members[0].Token != l.Token() || !l.Valid() {
		t.Errorf("%+v; %v", now.Members[0], err)
	}
	if fresh, err := list.Fresh(ctx); err != nil || ids(fresh) != "a" || fresh.AsOf.IsZero() {
		t.Errorf("%q as of %v, %v", ids(fresh), fresh.AsOf, err)
	}
}

func TestOnServersAnyLostReplyLeavesOneZnodeWithTheLatestData(t *testing.T) {
	e, ctx := onServers(t)
	admin, err := openReal(t, e.ConnectString(), session.Config{}).Session(ctx)
	must(t, err)
	for i, c := range []struct {
		op  faultproxy.Op
		nth int
	}{{faultproxy.OpMulti, 1}, {faultproxy.OpMulti, 2}, {faultproxy.OpMulti, 3}, {faultproxy.OpMulti, 4}, {faultproxy.OpGetData, 1}, {faultproxy.OpSetData, 1}, {faultproxy.OpDelete, 1}} {
		path := fmt.Sprintf("/group-lost-%d", i)
		must(t, admin.EnsurePath(ctx, path, nil))
		before, err := join(ctx, openReal(t, e.ConnectString(), session.Config{}), path, group.Config{ID: "a"})
		must(t, err)
		p := faultproxy.ForTest(t, e.Servers()[i%3].Addr())
		p.LoseReply(c.op, c.nth)
		m, err := join(ctx, openReal(t, p.Addr(), session.Config{}), path, group.Config{ID: "a"})
		must(t, err)
		must(t, m.Set(ctx, []byte("1")))
		must(t, m.Set(ctx, []byte("2")))
		_, err = admin.QuorumSync(ctx, path)
		must(t, err)
		data, _, err := admin.Get(ctx, m.Node())
		if err != nil || string(data) != "2" {
			t.Errorf("%v %d: %q, %v", c.op, c.nth, data, err)
		}
		<-before.Context().Done()
		if !errors.Is(context.Cause(before.Context()), group.ErrReplaced) {
			t.Errorf("%v %d: the one before: %v", c.op, c.nth, context.Cause(before.Context()))
		}
		must(t, m.Leave(ctx))
		_, err = admin.QuorumSync(ctx, path)
		must(t, err)
		if names, _, err := admin.Children(ctx, path); err != nil || len(names) != 0 {
			t.Errorf("%v %d: left behind %v, %v", c.op, c.nth, names, err)
		}
	}
}

func TestOnServersMembersOutliveTheirLeader(t *testing.T) {
	e, ctx := onServers(t)
	if e.External() {
		t.Skip("servers that are not ours are not killed")
	}
	const path = "/group-leader"
	m, err := join(ctx, openReal(t, e.ConnectString(), session.Config{}), path, group.Config{ID: "a"})
	must(t, err)
	list, err := watch(openReal(t, e.ConnectString(), session.Config{}), path, group.Config{})
	must(t, err)
	defer list.Close()
	awaitReal(t, ctx, list, "member", func(s group.Snapshot) bool { return ids(s) == "a" })
	before, err := m.Listing(ctx)
	must(t, err)
	leader, err := e.Leader(ctx)
	must(t, err)
	must(t, leader.Kill())
	now, err := list.Fresh(ctx)
	if err != nil || ids(now) != "a" || now.Members[0].Token != before.Token() {
		t.Errorf("%+v, %v", now.Members, err)
	}
	must(t, m.Set(ctx, []byte("x")))
	must(t, leader.Start(ctx))
}

// kazoo's members see ours, and ours see kazoo's.
func TestOnServersKazooIsInTheSameParty(t *testing.T) {
	need.That(t, func() error {
		if err := exec.Command("/usr/bin/python3", "-c", "import kazoo").Run(); err != nil {
			return fmt.Errorf("no kazoo: %w (Debian's python3-kazoo)", err)
		}
		return nil
	})
	e, ctx := onServers(t)
	for style, class := range map[group.Style]string{group.StyleParty: "Party", group.StyleShallow: "ShallowParty"} {
		path := "/group-kazoo-" + string(style)
		_, err := join(ctx, openReal(t, e.ConnectString(), session.Config{}), path, group.Config{ID: "ours", Style: style})
		must(t, err)
		list, err := watch(openReal(t, e.ConnectString(), session.Config{}), path, group.Config{})
		must(t, err)
		defer list.Close()
		program := exec.CommandContext(ctx, "/usr/bin/python3", "-c", fmt.Sprintf(`
import sys
from kazoo.client import KazooClient
c = KazooClient(hosts=%q); c.start()
p = c.%s(%q, "theirs"); p.join()
c.sync(%q)
print(" ".join(sorted(p))); sys.stdout.flush()
sys.stdin.readline()
c.stop()`, e.ConnectString(), class, path, path))
		in, err := program.StdinPipe()
		must(t, err)
		var out strings.Builder
		program.Stdout = &out
		must(t, program.Start())
		awaitReal(t, ctx, list, "member of kazoo", func(s group.Snapshot) bool { return ids(s) == "ours theirs" })
		fmt.Fprintln(in)
		must(t, program.Wait())
		if got := strings.TrimSpace(out.String()); got != "ours theirs" {
			t.Errorf("%s: kazoo sees %q", class, got)
		}
		awaitReal(t, ctx, list, "end of it", func(s group.Snapshot) bool { return ids(s) == "ours" })
	}
}
