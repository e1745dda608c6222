package zktest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// TB is the part of testing.TB that this package needs. It is an interface of
// its own so that programs which are not tests can run a server, too.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Config configures an ensemble. The zero value is one server on loopback TCP
// with a tick of 100 ms.
type Config struct {
	// Servers is the number of servers, 1 by default. From three on there is
	// a leader and there are followers, a majority of which must be in touch.
	Servers int

	// InMemory replaces TCP by a network in memory: no sockets, no goroutines
	// of the server's own, time from package time alone. It is made for
	// testing/synctest, where it must be created inside the bubble. Clients
	// reach it through [Ensemble.Dial] or a [Host]'s Dial only.
	InMemory bool

	// Tick is ZooKeeper's tickTime: 100 ms by default, where a production
	// server has 2 s. Sessions expire at multiples of it, the limits below
	// are counted in it, and a leader pings its followers twice in each.
	Tick time.Duration

	// MinSessionTimeout and MaxSessionTimeout limit what clients are granted:
	// 2 and 20 ticks by default. [Server.SetSessionLimits] sets one server's.
	MinSessionTimeout, MaxSessionTimeout time.Duration

	// InitLimit and SyncLimit are what a follower is given, in ticks, to
	// join its leader and to stay silent: 10 and 5 by default.
	InitLimit, SyncLimit int

	// ElectionTime passes between the loss of a leader and the choice of the
	// next: two ticks, at most 200 ms, by default.
	ElectionTime time.Duration

	// ContainerCheck is the interval in which empty containers are deleted,
	// a minute by default.
	ContainerCheck time.Duration

	// Latency is added to every frame and packet, each way. Default 0.
	Latency time.Duration

	// SequenceWraps makes the sequence number after 2147483647 the lowest
	// negative one, as servers before 3.6 did. Newer ones, 3.8 among them,
	// never lower the count: there the number sticks at 2147483647 and names
	// are unique only by what comes before it.
	SequenceWraps bool

	// Seed decides everything that is random: passwords, and how ping loops
	// and expiry lie against each other. Two ensembles with the same seed
	// that see the same events at the same instants behave the same.
	Seed int64

	// Logf, when set, is told every fault and every change of roles. It must
	// not call the ensemble.
	Logf func(format string, args ...any)

	// OnRequest, when set, sees each request as it reaches a server, before
	// any fault. It must not call the ensemble.
	OnRequest func(Request)

	// OnCommit, when set, sees every transaction exactly once, in order of
	// zxids, at the instant at which nothing can undo it any more and before
	// any server shows it to a client. It must not call the ensemble.
	OnCommit func(Commit)
}

// Ensemble is a set of ZooKeeper servers in this process. Its methods may be
// called from any goroutine.
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
	latency  time.Duration
	network  network
}

// network is how clients reach the servers.
type network interface {
	dial(ctx context.Context, h *Host, address string) (net.Conn, error)
	listen(s *server) error // when a server's process starts
	unlisten(s *server)     // when it ends
	close()
}

// New starts an ensemble. When it returns, the servers have a leader and
// accept clients. Close it when done.
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
	e.do(func() { e.latency = cfg.Latency }) // the first election takes no time
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Start is New for tests: it fails the test instead of returning an error,
// logs faults to it, and closes the ensemble when the test ends.
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

func (cfg Config) withDefaults() (Config, error) {
	cfg.Servers = cmp.Or(cfg.Servers, 1)
	cfg.Tick = cmp.Or(cfg.Tick, 100*time.Millisecond)
	cfg.MinSessionTimeout = cmp.Or(cfg.MinSessionTimeout, 2*cfg.Tick)
	cfg.MaxSessionTimeout = cmp.Or(cfg.MaxSessionTimeout, 20*cfg.Tick)
	cfg.InitLimit = cmp.Or(cfg.InitLimit, 10)
	cfg.SyncLimit = cmp.Or(cfg.SyncLimit, 5)
	cfg.ElectionTime = cmp.Or(cfg.ElectionTime, min(2*cfg.Tick, 200*time.Millisecond))
	cfg.ContainerCheck = cmp.Or(cfg.ContainerCheck, time.Minute)
	return cfg, cfg.check()
}

// check names the first value that is not allowed, and what is.
func (cfg Config) check() error {
	if cfg.Servers < 1 || cfg.Servers > 100 {
		return fmt.Errorf("zktest: Servers = %d, want 1 to 100", cfg.Servers)
	}
	for _, f := range []struct {
		field        string
		value, least time.Duration
	}{
		{"Tick", cfg.Tick, 2 * time.Millisecond},
		{"MinSessionTimeout", cfg.MinSessionTimeout, 1},
		{"MaxSessionTimeout", cfg.MaxSessionTimeout, cfg.MinSessionTimeout},
		{"ElectionTime", cfg.ElectionTime, 1},
		{"ContainerCheck", cfg.ContainerCheck, 1},
		{"Latency", cfg.Latency, 0},
	} {
		if f.value < f.least {
			return fmt.Errorf("zktest: %s = %v, want at least %v", f.field, f.value, f.least)
		}
	}
	for _, f := range []struct {
		field string
		value int
	}{{"InitLimit", cfg.InitLimit}, {"SyncLimit", cfg.SyncLimit}} {
		if f.value < 1 {
			return fmt.Errorf("zktest: %s = %d ticks, want at least 1", f.field, f.value)
		}
	}
	return nil
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

// Close stops the servers and breaks all connections. It waits for the
// goroutines that served them. Calling it again does nothing.
func (e *Ensemble) Close() {
	e.do(func() {
		for _, c := range sortConns(e.live) {
			c.reset()
		}
		e.stop()
	})
	e.network.close()
}

// ConnectString lists the servers' addresses, separated by commas, as clients
// take it.
func (e *Ensemble) ConnectString() string { return strings.Join(e.Addrs(), ",") }

// Addrs lists the servers' addresses in order of their ids.
func (e *Ensemble) Addrs() []string {
	var list []string
	for _, s := range e.servers {
		list = append(list, s.addr)
	}
	return list
}

// Dial connects to a server from a host without a name. Its shape is that of
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

// random returns a duration in [0, limit) from the seed (SplitMix64).
func (e *Ensemble) random(limit time.Duration) time.Duration {
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
