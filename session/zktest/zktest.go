package zktest

import (
	"context"
	"net"
	"strings"
	"time"
)

// TB is the part of testing.TB that this package needs. It is an interface of its own so that
// programs which are not tests can run a server, too.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Ensemble is a set of ZooKeeper servers in this process. Its methods may be called from any
// goroutine.
type Ensemble struct {
	loop
	cfg      Config
	servers  []*server
	links    map[[2]int]*Link
	hosts    map[string]*Host
	live     map[*conn]bool
	conns    int
	rules    []*Rule
	counts   Counts
	election *event
	reported int64
	rng      uint64
	latency  impair // what every frame and packet is late by
	network  network
}

// network is how clients reach the servers.
type network interface {
	dial(ctx context.Context, h *Host, address string) (net.Conn, error)
	listen(s *server) error // when a server's process starts
	unlisten(s *server)     // when it ends
	close()
}

// New starts an ensemble. When it returns, the servers have a leader and accept clients. Close it
// when done.
func New(cfg Config) (*Ensemble, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Ensemble{cfg: cfg, links: map[[2]int]*Link{}, hosts: map[string]*Host{},
		live: map[*conn]bool{}, counts: Counts{Requests: map[Op]int{}}, rng: uint64(cfg.Seed)}
	e.loop.init()
	if cfg.InMemory {
		e.network = &memNetwork{e: e}
	} else {
		e.network = newTCP(e)
	}
	e.do(func() { err = e.boot() })
	e.do(func() { e.latency = impair{delay: cfg.Latency, jitter: cfg.Jitter} }) // the first election takes no time
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Start is New for tests: it fails the test instead of returning an error, logs faults to it, and
// closes the ensemble when the test ends. The default tick of 100 ms makes leases shorter than they
// are elsewhere: see [Config.Tick].
func Start(t TB, configs ...Config) *Ensemble {
	t.Helper()
	var cfg Config
	if len(configs) > 0 {
		cfg = configs[0]
	}
	if cfg.Logf == nil {
		cfg.Logf = func(format string, args ...any) { t.Logf("zktest: "+format, args...) }
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(e.Close)
	return e
}

// boot starts all servers and lets them elect their first leader at once.
func (e *Ensemble) boot() error {
	for i := range e.cfg.Servers {
		s := newServer(e, i+1)
		s.phase = e.random(e.cfg.Tick)
		e.servers = append(e.servers, s)
	}
	for _, a := range e.servers {
		for _, b := range e.servers {
			e.links[[2]int{a.id, b.id}] = newLink(e, a, b)
		}
	}
	for _, s := range e.servers {
		if err := e.network.listen(s); err != nil {
			return err
		}
		s.begin()
	}
	e.election.cancel()
	e.election = nil
	e.elect()
	return nil
}

// begin starts a server's process.
func (s *server) begin() {
	s.life++
	s.frozen = false
	if len(s.e.servers) > 1 {
		s.look()
		return
	}
	s.fastForward()
	s.term++
	s.role = leading
	s.lead = newLeadership(s)
	s.e.logf("server %d serves alone", s.id)
	s.lead.start()
}

// quorum is the smallest majority.
func (e *Ensemble) quorum() int { return len(e.servers)/2 + 1 }

// Close stops the servers and breaks all connections. It waits for the goroutines of the ensemble.
// Calling it again does nothing.
func (e *Ensemble) Close() {
	e.do(func() {
		for _, c := range sortConns(e.live) {
			c.reset()
		}
		e.stop()
	})
	e.network.close()
	e.waiting.Wait()
}

// ConnectString lists the servers' addresses, separated by commas, as clients take it.
func (e *Ensemble) ConnectString() string { return strings.Join(e.Addrs(), ",") }

// Addrs lists the servers' addresses in order of their ids.
func (e *Ensemble) Addrs() []string {
	var list []string
	for _, s := range e.servers {
		list = append(list, s.addr)
	}
	return list
}

// Dial connects to a server from a host without a name. It has the signature of
// net.Dialer.DialContext; network is ignored.
func (e *Ensemble) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return e.Host("").Dial(ctx, network, address)
}

// serverAt finds the server that listens on an address.
func (e *Ensemble) serverAt(address string) *server {
	for _, s := range e.servers {
		if s.addr == address {
			return s
		}
	}
	return nil
}

func (e *Ensemble) logf(format string, args ...any) {
	if e.cfg.Logf != nil && !e.stopped {
		e.cfg.Logf("%v "+format, append([]any{e.now.Round(time.Microsecond)}, args...)...)
	}
}

// random returns a duration in [0, limit) from the seed (SplitMix64), or 0 if limit is.
func (e *Ensemble) random(limit time.Duration) time.Duration {
	if limit == 0 {
		return 0
	}
	e.rng += 0x9e3779b97f4a7c15
	return time.Duration(mix(e.rng) >> 1 % uint64(limit))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// password is the same at every server, as it has to be.
func (e *Ensemble) password(session int64) []byte {
	var w encoder
	w.int64(int64(mix(uint64(session) ^ uint64(e.cfg.Seed))))
	w.int64(int64(mix(uint64(session) + 1 ^ uint64(e.cfg.Seed))))
	return w.b
}

func (e *Ensemble) isPassword(session int64, p []byte) bool {
	return session != 0 && string(p) == string(e.password(session))
}
