package ensemble

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// ErrNoLeader says that no server is the leader (or standalone) at the moment.
var ErrNoLeader = errors.New("ensemble: no leader")

// Ensemble is a set of ZooKeeper servers. Its methods may be called from any goroutine.
type Ensemble struct {
	connect  string
	servers  []*Server
	external bool
	release  func() error // frees the ports and removes the directory; Close calls it once
	closed   sync.Once
	closeErr error
}

// Start starts an ensemble and waits until every server is in a quorum, by ctx. With ZK_SERVERS set
// it only waits until those servers answer. The error wraps ErrUnavailable if there is no ZooKeeper
// on this machine.
func Start(ctx context.Context, cfg Config) (*Ensemble, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := Has(cfg.Version); err != nil {
		return nil, err
	}
	if servers := os.Getenv("ZK_SERVERS"); servers != "" {
		e := external(servers)
		if err := e.WaitReady(ctx); err != nil {
			return nil, err
		}
		return e, nil
	}
	in, err := findInstall(cfg.Version)
	if err != nil {
		return nil, err
	}
	// A port may be taken by a stranger between the probe and the server's own bind: try other
	// ports.
	for attempt := 1; ; attempt++ {
		e, err := start(ctx, cfg, in)
		if err == nil || attempt == 3 || !portTaken(err) {
			return e, err
		}
	}
}

func start(ctx context.Context, cfg Config, in install) (_ *Ensemble, err error) {
	e, err := prepare(cfg, in)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	for _, s := range e.servers {
		if err := s.Launch(); err != nil {
			return nil, err
		}
	}
	if err := e.WaitReady(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// prepare claims ports and writes every server's files; it starts nothing.
func prepare(cfg Config, in install) (*Ensemble, error) {
	root, remove, err := makeRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	claim, ports, err := claimPorts(cfg.Servers, cfg.Host)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	e := &Ensemble{release: func() error { return errors.Join(claim.Close(), remove()) }}
	log := &lockedWriter{w: cfg.Log}
	for i, p := range ports {
		s := &Server{
			id:     i + 1,
			addr:   net.JoinHostPort(cfg.Host(i), strconv.Itoa(p.client)),
			secure: net.JoinHostPort(cfg.Host(i), strconv.Itoa(p.secure)),
			debug:  net.JoinHostPort(debugHost, strconv.Itoa(p.debug)),
			dir:    filepath.Join(root, fmt.Sprintf("server%d", i+1)),
			log:    log,
		}
		s.argv = in.argv(s.dir, cfg.jvm(s.debug))
		if cfg.Wrap != nil {
			s.argv = cfg.Wrap(i, s.argv)
		}
		if err := cfg.write(i, s.dir, ports); err != nil {
			return nil, errors.Join(err, e.release())
		}
		e.servers = append(e.servers, s)
	}
	e.connect = strings.Join(e.Addrs(), ",")
	return e, nil
}

func makeRoot(dir string) (root string, remove func() error, err error) {
	if dir != "" {
		dir, err = filepath.Abs(dir)
		return dir, func() error { return nil }, err
	}
	root, err = os.MkdirTemp("", "zookeeper-ensemble-")
	return root, func() error { return os.RemoveAll(root) }, err
}

func portTaken(err error) bool {
	text := err.Error() // it holds the end of the server's log, the only place where the reason is told
	return strings.Contains(text, "BindException") || strings.Contains(text, "Address already in use")
}

// external describes servers that somebody else runs: "h1:2181,h2:2181/chroot".
func external(connect string) *Ensemble {
	e := &Ensemble{connect: connect, external: true, release: func() error { return nil }}
	hosts, _, _ := strings.Cut(connect, "/")
	for i, addr := range strings.Split(hosts, ",") {
		addr = strings.TrimSpace(addr)
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(addr, "2181")
		}
		e.servers = append(e.servers, &Server{id: i + 1, addr: addr, external: true})
	}
	return e
}

// External tells whether the servers are somebody else's; a test that kills or freezes servers
// skips then.
func (e *Ensemble) External() bool { return e.external }

// ConnectString returns what a client is given: "host:port,host:port"; an external one may end in a
// chroot.
func (e *Ensemble) ConnectString() string { return e.connect }

// Servers returns all servers, in order of their IDs.
func (e *Ensemble) Servers() []*Server { return append([]*Server(nil), e.servers...) }

// Addrs returns the servers' client addresses, in order of their IDs.
func (e *Ensemble) Addrs() []string {
	var addrs []string
	for _, s := range e.servers {
		addrs = append(addrs, s.addr)
	}
	return addrs
}

// Dial connects to a server, as a net.Dialer does: so tests need not know whether servers are
// simulated.
func (e *Ensemble) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Leader waits until some server says it leads (or is standalone) and returns it. A leader that was
// frozen and thawed may say so for a while after another was elected.
func (e *Ensemble) Leader(ctx context.Context) (*Server, error) {
	return e.find(ctx, ErrNoLeader, "leader", "standalone")
}

// Follower waits until some server is a follower and returns it.
func (e *Ensemble) Follower(ctx context.Context) (*Server, error) {
	return e.find(ctx, errors.New("ensemble: no follower"), "follower")
}

// Followers returns the servers that follow at this moment.
func (e *Ensemble) Followers(ctx context.Context) []*Server { return e.inMode(ctx, "follower") }

func (e *Ensemble) find(ctx context.Context, none error, modes ...string) (*Server, error) {
	var found *Server
	err := poll(ctx, func(ctx context.Context) error {
		all := e.inMode(ctx, modes...)
		if len(all) == 0 {
			return none
		}
		found = all[0]
		return nil
	}, func(err error) error { return err })
	return found, err
}

// inMode asks all servers at once: one that is frozen answers nobody and must not hold up the
// others.
func (e *Ensemble) inMode(ctx context.Context, modes ...string) []*Server {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	got := make([]string, len(e.servers))
	e.each(func(i int, s *Server) error {
		if s.Running() && !s.Frozen() {
			got[i], _ = s.Mode(ctx)
		}
		return nil
	})
	var match []*Server
	for i, mode := range got {
		for _, want := range modes {
			if mode == want {
				match = append(match, e.servers[i])
			}
		}
	}
	return match
}

// WaitReady waits until every server serves, and one of them leads.
func (e *Ensemble) WaitReady(ctx context.Context) error {
	err := e.each(func(_ int, s *Server) error { return s.WaitServing(ctx) })
	if err != nil {
		return err
	}
	_, err = e.Leader(ctx)
	return err
}

// Heal thaws what is frozen, starts what is down and waits until all servers serve. On an external
// ensemble it only waits.
func (e *Ensemble) Heal(ctx context.Context) error {
	if !e.external {
		for _, s := range e.servers {
			if s.Frozen() {
				if err := s.Thaw(); err != nil {
					return err
				}
			}
			if err := s.Launch(); err != nil {
				return err
			}
		}
	}
	return e.WaitReady(ctx)
}

// Close kills the servers, waits until they are gone and removes what Start made. Calling it again
// does nothing. External servers are left alone.
func (e *Ensemble) Close() error {
	e.closed.Do(func() {
		var err error
		if !e.external {
			err = e.each(func(_ int, s *Server) error { return s.Kill() })
		}
		e.closeErr = errors.Join(err, e.release())
	})
	return e.closeErr
}

// each runs f for all servers at once and waits for all.
func (e *Ensemble) each(f func(int, *Server) error) error {
	errs := make([]error, len(e.servers))
	var wg sync.WaitGroup
	for i, s := range e.servers {
		wg.Go(func() { errs[i] = f(i, s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
