package zktest

import (
	"cmp"
	"fmt"
	"time"
)

// Config configures an ensemble. The zero value is one server on loopback TCP with a tick of 100
// ms.
type Config struct {
	// Servers is the number of servers, 1 by default. From three on there is a leader and there are
	// followers, a majority of which must be in touch.
	Servers int

	// InMemory replaces TCP by a network in memory: no sockets, one goroutine for the whole
	// ensemble, time from package time alone. It is made for testing/synctest, where it must be
	// created inside the bubble. Clients reach it through [Ensemble.Dial] or a [Host]'s Dial only.
	InMemory bool

	// Tick is ZooKeeper's tickTime: 100 ms by default, where a production server has 2 s. Sessions
	// expire at multiples of it, the limits below are counted in it, and a leader pings its
	// followers twice in each. With 100 ms a client is granted a session timeout of 2 s at most, so
	// that its lease is 1 s at most and not the default of 4 s. A lease of 4 s needs a tick of 400
	// ms, or a MaxSessionTimeout of 8 s.
	Tick time.Duration

	// MinSessionTimeout and MaxSessionTimeout limit what clients are granted: 2 and 20 ticks by
	// default. [Server.SetSessionLimits] sets one server's.
	MinSessionTimeout, MaxSessionTimeout time.Duration

	// InitLimit is how many ticks a follower may take to join its leader: 10 by default. SyncLimit
	// is how many ticks it may be silent: 5 by default, so half a second with the default Tick. On
	// a busy machine the servers themselves may be late by that, and several servers lose their
	// quorum for a moment. If a test on sockets must not see that, set Tick to a second.
	InitLimit, SyncLimit int

	// ElectionTime passes between the loss of a leader and the choice of the next: two ticks, at
	// most 200 ms, by default.
	ElectionTime time.Duration

	// ContainerCheck is the interval in which empty containers are deleted, and znodes whose time
	// is over, a minute by default.
	ContainerCheck time.Duration

	// ExtendedTypes allows znodes with a time to live, as the servers' property
	// extendedTypesEnabled does. By default real servers and this package refuse them.
	ExtendedTypes bool

	// Each frame and packet, in each direction, is delayed by Latency plus a random part of Jitter.
	// Order is kept. Both are 0 by default. [Ensemble.SetLatency] changes them while the servers
	// run.
	Latency, Jitter time.Duration

	// Release is the release of ZooKeeper whose servers are imitated: [Release395], the newest, by
	// default. [Server.SetRelease] sets one server's.
	Release Release

	// Users has the passwords, by name, of the users that can authenticate by SASL with DIGEST-MD5.
	// A znode can be theirs, by the scheme "sasl" or "auth". Without Users, the servers accept a
	// client that tries, but give it no identity, as real ones do without a JAAS configuration.
	Users map[string]string

	// Keeper makes the servers answer connect requests as those of ClickHouse Keeper do. A client
	// that comes back gets a new session, while its old one lives on until it expires. A server
	// without a leader says so, with protocol version 42.
	Keeper bool

	// SequenceWraps makes the sequence number after 2147483647 the lowest negative one, as servers
	// before 3.6 did, and as those of [Release3510] do. Newer ones, 3.8 among them, never lower the
	// count: there the number sticks at 2147483647 and names are unique only by what comes before
	// it.
	SequenceWraps bool

	// Seed decides everything that is random: passwords, and the phases of ping loops and of
	// expiry. Two ensembles with the same seed that see the same events at the same instants behave
	// the same.
	Seed int64

	// Logf, when set, is told every fault and every change of roles. It must not call the ensemble.
	Logf func(format string, args ...any)

	// OnRequest, when set, sees each request as it reaches a server, before any fault. It must not
	// call the ensemble.
	OnRequest func(Request)

	// OnCommit, when set, sees every transaction exactly once, in order of zxids. It is called when
	// nothing can undo the transaction any more, before any server shows it to a client. It must
	// not call the ensemble.
	OnCommit func(Commit)
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
	cfg.Release = cmp.Or(cfg.Release, Release395)
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
		{"Jitter", cfg.Jitter, 0},
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
	if !cfg.Release.known() {
		return fmt.Errorf("zktest: Release = %q, want one of %q", cfg.Release, imitated)
	}
	return nil
}
