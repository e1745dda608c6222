package session_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A bubble has three simulated servers and a session.
type bubble struct {
	*stage.Stage
	host   *zktest.Host
	client *session.Client
	s      *session.Session
}

// inBubble runs f in a bubble with an ensemble and a session. T is simT, and D is half of it.
func inBubble(t *testing.T, f func(t *testing.T, b *bubble)) {
	t.Helper()
	inBubbleWith(t, session.Config{Timeout: simT}, f)
}

func inBubbleWith(t *testing.T, cfg session.Config, f func(t *testing.T, b *bubble)) {
	t.Helper()
	inBubbleOn(t, zktest.Release395, cfg, f)
}

// inBubbleOn is inBubbleWith on servers of another release.
func inBubbleOn(t *testing.T, release zktest.Release, cfg session.Config, f func(t *testing.T, b *bubble)) {
	t.Helper()
	stage.On(t, zktest.Config{Release: release}, func(s *stage.Stage) {
		b := &bubble{Stage: s, host: s.Host("a")}
		b.client = b.Open("a", cfg)
		b.s = b.Session(b.client)
		f(s.T, b)
		b.client.Close()
	})
}

// beats returns how often the session's heartbeat was set, and how many places these writes
// checked, all together.
func (b *bubble) beats() (beats, checks int) {
	for _, c := range b.Commits.All() {
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

// node returns the ensemble's state of a znode.
func (b *bubble) node(path string) (n zktest.Node, ok bool) {
	for _, n := range b.Nodes() {
		if n.Path == path {
			return n, true
		}
	}
	return n, false
}

// ended waits for the end of the session and returns the reason.
func (b *bubble) ended() error {
	b.T.Helper()
	return over(b.T, b.s)
}
