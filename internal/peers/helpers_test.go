package peers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/session"
)

// patience guards against hanging; nothing is measured by it.
const patience = 5 * time.Minute

// The session timeouts: on a busy machine a short one ends terms by itself.
const (
	usual     = 6 * time.Second
	unhurried = 10 * time.Second // where the order of leaders must not change, and nobody crashes
)

var hosts *Hosts

func TestMain(m *testing.M) {
	var err error
	if hosts, err = NewHosts(); err != nil {
		panic(err)
	}
	m.Run()
	ensemble.CloseShared()
	hosts.Close()
}

// field is an election on the shared ensemble and those who stand in it.
type field struct {
	t    *testing.T
	ctx  context.Context
	e    *ensemble.Ensemble
	s    *session.Session // to look around with
	path string
	all  []*Peer
}

// newest are the kinds that stand in for Debian's with ZKRECIPE_PEERS=newest, so that all tests can
// be run with both.
var newest = map[Kind]Kind{LeaderLatch: LeaderLatchNew, LeaderSelector: LeaderSelectorNew, Kazoo: KazooNew, KazooPatterns: KazooPatternsNew}

// newestOnly reports whether they do, in all tests.
func newestOnly() bool { return os.Getenv("ZKRECIPE_PEERS") == "newest" }

func release(k Kind) Kind {
	if newestOnly() {
		return cmp.Or(newest[k], k)
	}
	return k
}

// newField makes an election of the test's own for kinds of candidates. The test ends where one of
// them cannot run.
func newField(t *testing.T, kinds ...Kind) *field {
	t.Helper()
	// Fetching libraries, building programs and starting servers may take long. So that is done
	// before f.ctx begins.
	for _, k := range kinds {
		need.That(t, func() error { return Available(t.Context(), release(k)) })
		if _, err := hosts.Command(t.Context(), release(k), Config{}); err != nil {
			t.Fatal(err)
		}
	}
	f := &field{t: t, e: ensemble.Shared(t, ensemble.Config{Servers: 3})}
	f.ctx = bounded(t)
	f.path = "/" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
	f.s = f.connect(session.Config{})
	return f
}

func (f *field) connect(cfg session.Config) *session.Session {
	f.t.Helper()
	client, err := session.Open(f.e.ConnectString(), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { client.Close() })
	s, err := client.Session(f.ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// join starts a candidate and waits until it stands in line.
func (f *field) join(k Kind) *Peer {
	f.t.Helper()
	p := f.start(k, Config{})
	f.wait(p, "joined")
	return p
}

// start starts a candidate, which is killed at the end of the test.
func (f *field) start(k Kind, cfg Config) *Peer {
	f.t.Helper()
	cfg.Timeout = cmp.Or(cfg.Timeout, usual)
	cfg.Connect = cmp.Or(cfg.Connect, f.e.ConnectString())
	cfg.Path, cfg.ID = f.path, cmp.Or(cfg.ID, fmt.Sprintf("%s %d", k, len(f.all)))
	p, err := hosts.Start(f.ctx, release(k), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.all = append(f.all, p)
	f.t.Cleanup(func() {
		p.Kill()
		if f.t.Failed() {
			f.t.Logf("%s\n%s%s", p.ID, story(p.Lines()), p.Stderr())
		}
	})
	return p
}

// story is what a candidate told, beats counted only.
func story(lines []Line) string {
	var b strings.Builder
	for i := 0; i < len(lines); i++ {
		n := 0
		for ; i+n < len(lines) && lines[i+n].Event == "beat"; n++ {
		}
		if n > 0 {
			fmt.Fprintf(&b, "  %d beats, %d to %d\n", n, lines[i].T, lines[i+n-1].T)
			i += n - 1
			continue
		}
		l := lines[i]
		fmt.Fprintf(&b, "  %d %s %s token %d %s%s\n", l.T, l.Event, l.Node, l.Token, l.Reason, l.Error)
	}
	return b.String()
}

func (f *field) wait(p *Peer, event string) Line {
	f.t.Helper()
	l, err := p.Wait(f.ctx, event)
	if err != nil {
		f.t.Fatal(err)
	}
	return l
}

// caughtUp makes our server catch up with what a candidate has told.
func (f *field) caughtUp() *session.Session {
	f.t.Helper()
	if err := f.s.Sync(f.ctx, f.path); err != nil {
		f.t.Fatal(err)
	}
	return f.s
}

func (f *field) send(p *Peer, command string) {
	f.t.Helper()
	if err := p.Send(command); err != nil {
		f.t.Fatal(err)
	}
}

// term is what beats prove of a term: whose it is, and that it lasted at least so long.
type term struct {
	who         string
	token       int64
	first, last int64
}

// terms returns all terms that had a beat, in the order of their first.
func (f *field) terms() []term {
	var all []term
	for _, p := range f.all {
		open := -1
		for _, l := range p.Lines() {
			switch {
			case l.Event == "elected" || l.Event == "deposed":
				open = -1
			case l.Event == "beat" && open < 0:
				open = len(all)
				all = append(all, term{who: p.ID, token: l.Token, first: l.T, last: l.T})
			case l.Event == "beat":
				all[open].last = l.T
			}
		}
	}
	slices.SortFunc(all, func(a, b term) int { return cmp.Compare(a.first, b.first) })
	return all
}

// overlap returns for how long two led at once, at the least and at most in one go.
func (f *field) overlap() time.Duration {
	longest := int64(0)
	all := f.terms()
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.who != b.who {
				longest = max(longest, min(a.last, b.last)-b.first+1)
			}
		}
	}
	return time.Duration(longest)
}

// oneLeaderAtATime fails the test if two led at once, or in another order than that of their
// znodes.
func (f *field) oneLeaderAtATime() {
	f.t.Helper()
	if d := f.overlap(); d > 0 {
		f.t.Errorf("two led at once for %v: %+v", d, f.terms())
	}
	token := int64(0)
	for _, r := range f.terms() {
		if r.token <= token {
			f.t.Errorf("%s leads with token %d after one of %d", r.who, r.token, token)
		}
		token = r.token
	}
}
