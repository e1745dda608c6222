//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	servers = 3
	homes   = 5 // namespaces for candidates

	tick      = 500 * time.Millisecond
	maxT      = time.Minute
	initLimit = 20 // ticks
	syncLimit = 10 // ticks: 5 s, longer than T, so that a follower without its leader answers its clients meanwhile

	// A host's interfaces.
	clientSide = "eth0" // to the network of the clients
	quorumSide = "eth1" // to that of the servers among themselves
)

// rig is an ensemble with its networks. It serves one round at a time.
type rig struct {
	n int
	*ensemble.Ensemble
	hosts []*namespace      // of the servers
	homes []*namespace      // of the candidates
	admin *session.Client   // an administrator, with credentials
	eyes  []*session.Client // one for each server, to see what goes on there
}

// adminAuth keeps others away from what an administrator makes for himself.
var adminAuth = session.Digest("admin", "secret")

// newRig builds rig n (1, 2, ...) in the present network namespace; the servers' files go below
// dir, and they listen for a debugger if asked to.
func newRig(ctx context.Context, n int, dir string, debug bool) (_ *rig, err error) {
	r := &rig{n: n}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rig %d: %w", n, err), r.close())
		}
	}()
	if err := r.wire(ctx); err != nil {
		return nil, err
	}
	r.Ensemble, err = ensemble.Start(ctx, ensemble.Config{
		Servers: servers, Tick: tick, InitLimit: initLimit, SyncLimit: syncLimit, MaxSessionTimeout: maxT, Dir: filepath.Join(dir, fmt.Sprint("rig", n)),
		Debug: debug, Host: r.clientAddr, QuorumHost: r.quorumAddr,
		Wrap: func(i int, argv []string) []string { return r.hosts[i].wrap(argv...) },
	})
	if err != nil {
		return nil, err
	}
	open := func(zk string) (*session.Client, error) {
		return session.Open(zk, session.Config{Timeout: 20 * tick, Auth: []session.Auth{adminAuth}, ACL: worldACL})
	}
	if r.admin, err = open(r.ConnectString()); err != nil {
		return nil, err
	}
	for _, s := range r.Servers() {
		eye, err := open(s.Addr())
		if err != nil {
			return nil, err
		}
		r.eyes = append(r.eyes, eye)
	}
	return r, nil
}

func (r *rig) clientAddr(i int) string { return fmt.Sprintf("10.%d.0.%d", r.n, i+1) }
func (r *rig) quorumAddr(i int) string { return fmt.Sprintf("10.%d.0.%d", 100+r.n, i+1) }

// The names of what wire makes in the present namespace: a bridge for each network, and the other
// ends of the hosts' cables.
func clientsBridge(n int) string     { return fmt.Sprint("clients", n) }
func quorumBridge(n int) string      { return fmt.Sprint("quorum", n) }
func clientsPort(n, host int) string { return fmt.Sprintf("c%d.%d", n, host) }
func quorumPort(n, host int) string  { return fmt.Sprintf("q%d.%d", n, host) }

// unwire removes what wire made for a rig n, which may be nothing. The kernel would do it with the
// rig's namespaces, but takes its time.
func unwire(ctx context.Context, n int) {
	links := []string{clientsBridge(n), quorumBridge(n)}
	for i := range servers + homes {
		links = append(links, clientsPort(n, i), quorumPort(n, i))
	}
	for _, link := range links {
		_ = run(ctx, "ip", "link", "del", link) // mostly there is none
	}
}

// wire makes two networks, each a bridge, and the hosts on them. The network of the clients has an
// address of ours as well.
func (r *rig) wire(ctx context.Context) error {
	clients, quorum := clientsBridge(r.n), quorumBridge(r.n)
	for _, bridge := range []string{clients, quorum} {
		if err := run(ctx, "ip", "link", "add", bridge, "up", "type", "bridge"); err != nil {
			return err
		}
	}
	if err := run(ctx, "ip", "addr", "add", fmt.Sprintf("10.%d.0.254/24", r.n), "dev", clients); err != nil {
		return err
	}
	for i := range servers + homes {
		ns, err := newNamespace(ctx)
		if err != nil {
			return err
		}
		if i >= servers {
			r.homes = append(r.homes, ns)
			err = ns.plug(ctx, clients, clientSide, clientsPort(r.n, i), r.clientAddr(100+i))
		} else {
			r.hosts = append(r.hosts, ns)
			err = errors.Join(ns.plug(ctx, clients, clientSide, clientsPort(r.n, i), r.clientAddr(i)),
				ns.plug(ctx, quorum, quorumSide, quorumPort(r.n, i), r.quorumAddr(i)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plug connects the namespace with a bridge; port is the name of the other end of the cable.
func (n *namespace) plug(ctx context.Context, bridge, device, port, addr string) error {
	return errors.Join(
		run(ctx, "ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", n.path()),
		run(ctx, "ip", "link", "set", port, "master", bridge, "up"),
		n.run(ctx, "ip", "addr", "add", addr+"/24", "dev", device),
		n.run(ctx, "ip", "link", "set", device, "up"))
}

// cutQuorum cuts a server from the others, or from one of them, but not from its clients.
func (r *rig) cutQuorum(ctx context.Context, s *ensemble.Server, dir Direction, from ...*ensemble.Server) error {
	host := r.hosts[s.ID()-1]
	if len(from) == 0 {
		return host.rule(ctx, dir, quorumSide, "", "-j", "DROP")
	}
	for _, peer := range from {
		if err := host.rule(ctx, dir, quorumSide, r.quorumAddr(peer.ID()-1), "-j", "DROP"); err != nil {
			return err
		}
	}
	return nil
}

// resetClients breaks a server's connections with its clients, and refuses new ones until mend.
func (r *rig) resetClients(ctx context.Context, s *ensemble.Server) error {
	return r.hosts[s.ID()-1].rule(ctx, In, clientSide, "", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
}

// mend takes back all rules, thaws and starts servers, and waits until all are in one quorum.
func (r *rig) mend(ctx context.Context) error {
	for _, ns := range append(r.hosts[:servers:servers], r.homes...) {
		if err := ns.mend(ctx); err != nil {
			return err
		}
	}
	if err := r.Heal(ctx); err != nil {
		return err
	}
	return r.united(ctx)
}

// commitsWithin is how long a mended ensemble may take until it commits: as long as its limits for
// a leader and followers to come together.
const commitsWithin = (initLimit + syncLimit) * tick

// united waits until each server has carried a write through the quorum. A server may believe for a
// while that it still leads, or follows, although the others have gone on without it.
//
// Servers up to 3.8.4, and 3.9.0 and 3.9.1, may never commit again after all of them have stood
// still for longer than syncLimit. Then they form a new quorum, and a follower may acknowledge a
// proposal before it acknowledges NEWLEADER. The leader loses that acknowledgement. In later
// releases it does not. So the ZooKeeper leader of an ensemble that does not commit is restarted.
func (r *rig) united(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, commitsWithin)
		err := r.carry(limited)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		zkLeader, err := r.Leader(ctx)
		if err == nil {
			err = zkLeader.Restart(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// carry has each server carry a write.
func (r *rig) carry(ctx context.Context) error {
	const node = "/united"
	write := func(eye *session.Client) error {
		s, err := eye.Session(ctx)
		if err == nil {
			err = s.EnsurePath(ctx, node, nil)
		}
		if err == nil {
			_, err = s.Set(ctx, node, nil, -1)
		}
		return err
	}
	for _, eye := range r.eyes {
		for err := write(eye); err != nil; err = write(eye) {
			select {
			case <-time.After(tick / 10):
			case <-ctx.Done():
				return fmt.Errorf("no quorum: %w", err)
			}
		}
	}
	return nil
}

// others are all servers but one.
func (r *rig) others(but *ensemble.Server) (rest []*ensemble.Server) {
	for _, s := range r.Servers() {
		if s != but {
			rest = append(rest, s)
		}
	}
	return rest
}

func addrs(servers ...*ensemble.Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr())
	}
	return strings.Join(all, ",")
}

// holder finds the server at which a session is connected; nil if none says so.
func (r *rig) holder(ctx context.Context, sessionID string) *ensemble.Server {
	for _, s := range r.Servers() {
		if !s.Running() || s.Frozen() {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, time.Second)
		answer, err := s.Command(ask, "cons")
		cancel()
		if err == nil && strings.Contains(answer, "sid="+sessionID+",") {
			return s
		}
	}
	return nil
}

// close ends all that belongs to the rig. The interfaces go with the namespaces.
func (r *rig) close() error {
	var errs []error
	for _, c := range append(r.eyes, r.admin) {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if r.Ensemble != nil {
		errs = append(errs, r.Ensemble.Close())
	}
	for _, ns := range append(r.hosts, r.homes...) {
		errs = append(errs, ns.close())
	}
	return errors.Join(errs...)
}
