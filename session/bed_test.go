package session_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A bed is a session in a bubble, with what it has sent and what was committed.
type bed struct {
	*zktest.Ensemble
	t      *testing.T
	host   *zktest.Host
	client *session.Client
	s      *session.Session

	mu      sync.Mutex // guards what follows
	commits []zktest.Commit
}

// inBed plays f in a bubble with an ensemble and a session, of which D is half of T = simT.
func inBed(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	inBedWith(t, session.Config{Timeout: simT}, f)
}

func inBedWith(t *testing.T, cfg session.Config, f func(t *testing.T, b *bed)) {
	t.Helper()
	inBedOn(t, zktest.Release395, cfg, f)
}

// inBedOn is inBedWith on servers of another release.
func inBedOn(t *testing.T, release zktest.Release, cfg session.Config, f func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t}
		b.Ensemble = zktest.Start(t, zktest.Config{Servers: 3, Release: release, InMemory: true, Tick: simT / 2, Latency: time.Millisecond,
			Logf: func(string, ...any) {}, OnCommit: b.committed})
		b.host = b.Host("a")
		cfg.Dial = b.host.Dial
		b.client = open(t, b.ConnectString(), cfg)
		b.s = established(t, b.client)
		f(t, b)
		b.client.Close()
	})
}

func (b *bed) committed(c zktest.Commit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = append(b.commits, c)
}

// admin returns another client's session.
func (b *bed) admin() (s *session.Session, done func()) {
	b.t.Helper()
	// At the server that leads, which knows of everything first.
	client := open(b.t, b.Leader().Addr(), session.Config{Timeout: 10 * simT, Lease: simT, Dial: b.Host("admin").Dial})
	return established(b.t, client), func() { client.Close() }
}

// beats returns how often the session's heartbeat was set, and in all those writes how many
// places were checked.
func (b *bed) beats() (beats, checks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.commits {
		if c.Session != b.s.ID() || c.Err != zktest.CodeOK {
			continue
		}
		for _, ch := range c.Changes {
			switch {
			case ch.Op == zktest.OpSetData && ch.Path == b.s.HeartbeatPath(b.s.ID()):
				beats++
			case ch.Op == zktest.OpCheck:
				checks++
			}
		}
	}
	return beats, checks
}

func (b *bed) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = nil
}

// node returns a znode as the ensemble has it.
func (b *bed) node(path string) (n zktest.Node, ok bool) {
	for _, n := range b.Nodes() {
		if n.Path == path {
			return n, true
		}
	}
	return n, false
}

// ended waits for the end of the session and returns the reason.
func (b *bed) ended() error {
	b.t.Helper()
	return over(b.t, b.s)
}
