package peers

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// pairs are the peers, each with the style of ours that belongs into its line.
var pairs = []struct{ peer, ours Kind }{
	{LeaderLatch, OursLatch},
	{LeaderSelector, OursLock},
	{ZkLock, OursLock},
	{Kazoo, OursKazoo},
}

// Everybody resigns in turn and enters the line again, each in its own time; then everybody leaves
// in turn.
func TestALineOfSixLeadsInTheOrderOfJoining(t *testing.T) {
	for name, kinds := range map[string][]Kind{
		"latch": {LeaderLatch, OursLatch, OursLatch, LeaderLatch, LeaderLatch, OursLatch},
		"lock":  {OursLock, LeaderSelector, OursLock, ZkLock, OursLock, ZkLock},
		"kazoo": {OursKazoo, Kazoo, KazooPatterns, OursKazoo, OursKazoo, Kazoo},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newField(t, kinds...)
			for _, k := range kinds {
				f.wait(f.start(k, Config{Timeout: unhurried}), "joined")
			}
			gone := f.start(kinds[len(kinds)-1], Config{}) // leaves before its time comes
			f.wait(gone, "joined")
			f.send(gone, "quit")
			f.wait(gone, "left")
			f.all = f.all[:len(kinds)]
			for _, p := range f.all {
				f.leads(p)
				f.send(p, "resign")
				f.wait(p, "deposed")
			}
			again := map[string]*Peer{} // by number
			for _, p := range f.all {
				node := f.wait(p, "joined").Node
				again[node[len(node)-10:]] = p
			}
			order := slices.Clone(f.all)
			for _, number := range slices.Sorted(maps.Keys(again)) {
				order = append(order, again[number])
				f.leads(again[number])
				f.send(again[number], "quit")
			}
			f.oneLeaderAtATime()
			terms := f.terms()
			for i, p := range order {
				if i >= len(terms) || terms[i].who != p.ID {
					t.Fatalf("leader number %d should be %s: %+v", i, p.ID, terms)
				}
			}
		})
	}
}

// leads waits until a candidate proves that it leads.
func (f *field) leads(p *Peer) {
	f.t.Helper()
	f.wait(p, "elected")
	f.wait(p, "beat")
}

// transitions are the ways in which one of ours ends its term, the leadership not only being given
// away.
var transitions = []struct {
	name string
	end  func(f *field, p *Peer)
}{
	{"resign", func(f *field, p *Peer) { f.send(p, "resign"); f.wait(p, "joined"); f.send(p, "quit") }},
	{"close", func(f *field, p *Peer) { f.send(p, "quit") }},
	{"crash", func(f *field, p *Peer) { p.Kill() }},
	{"session loss", func(f *field, p *Peer) { f.signal(p, syscall.SIGSTOP) }},
}

func (f *field) signal(p *Peer, s os.Signal) {
	f.t.Helper()
	if err := p.Signal(s); err != nil {
		f.t.Fatal(err)
	}
}

// One peer stands behind one of ours again and again, and leads after whatever happens to it; in
// between it resigns, and ours leads.
func TestAPeerBehindOursWakesThroughEveryTransition(t *testing.T) {
	for _, pair := range pairs {
		t.Run(string(pair.peer), func(t *testing.T) {
			t.Parallel()
			f := newField(t, pair.peer, pair.ours)
			peer := f.join(pair.peer)
			f.leads(peer)
			behind := func(ours *Peer) { // ours leads, the peer stands behind it
				t.Helper()
				f.send(peer, "resign")
				f.leads(ours)
				f.wait(peer, "joined")
			}
			for _, transition := range transitions {
				ours := f.join(pair.ours)
				behind(ours)
				transition.end(f, ours)
				f.leads(peer)
				if transition.name == "session loss" {
					// It must not take itself for the leader, and stands in line again.
					f.signal(ours, syscall.SIGCONT)
					f.wait(ours, "joined")
					f.send(ours, "quit")
					f.wait(ours, "left")
				}
			}
			f.lapse(pair.ours, peer, behind)
			f.middle(pair.ours, peer, behind)
			peer.Kill()
			f.oneLeaderAtATime()
		})
	}
}

// lapse lets the lease of ours lapse, while its session lives: its requests come to the server too
// late. All else is as in transitions.
func (f *field) lapse(k Kind, peer *Peer, behind func(*Peer)) {
	f.t.Helper()
	proxy := faultproxy.ForTest(f.t, f.e.Addrs()[0])
	ours := f.start(k, Config{Connect: proxy.Addr()})
	f.wait(ours, "joined")
	behind(ours)
	proxy.On(func(fr faultproxy.Frame) bool { return fr.Op == faultproxy.OpMulti }, 1, faultproxy.LoseRequest)
	proxy.Refuse(true)
	if l := f.wait(ours, "deposed"); l.Reason != "lease expired" {
		f.t.Errorf("deposed: %+v", l)
	}
	proxy.Refuse(false)
	f.leads(peer)
	f.wait(ours, "joined")
	f.send(ours, "quit")
	f.wait(ours, "left")
}

// middle lets two of ours stand ahead of the peer: when the nearer goes, the peer goes on waiting,
// for the farther.
func (f *field) middle(k Kind, peer *Peer, behind func(*Peer)) {
	f.t.Helper()
	leader, nearer := f.join(k), f.join(k)
	behind(leader)
	f.send(nearer, "quit")
	f.wait(nearer, "left")
	f.beatsOn(leader)
	f.send(leader, "quit")
	f.leads(peer)
}

// beatsOn waits for some beats of a leader that come after this call.
func (f *field) beatsOn(p *Peer) {
	f.t.Helper()
	for n, last := 0, history.Now(); n < 20; {
		if l := f.wait(p, "beat"); l.T > last {
			n++
		}
	}
}

// A callback that is slow to return keeps the leadership; when it has returned the peer behind
// wakes.
func TestAPeerBehindOursWaitsForTheDrain(t *testing.T) {
	for _, pair := range pairs {
		t.Run(string(pair.peer), func(t *testing.T) {
			t.Parallel()
			f := newField(t, pair.peer)
			client, err := session.Open(f.e.ConnectString(), session.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			style, _ := pair.ours.style()
			ours, err := election.New(client, f.path, election.Config{ID: "ours", Style: election.Style(style)})
			if err != nil {
				t.Fatal(err)
			}
			leading, resigned, returns := make(chan *election.Term), make(chan struct{}), make(chan struct{})
			ran := make(chan error, 1)
			go func() {
				ran <- ours.Run(f.ctx, func(ctx context.Context, term *election.Term) error {
					leading <- term
					<-ctx.Done()
					close(resigned)
					<-returns
					return election.ErrStop
				})
			}()
			term := <-leading
			peer := f.join(pair.peer)
			term.Resign()
			<-resigned
			// Long enough for a deletion, if there were one, to be carried out and seen.
			for range 50 {
				if err := f.s.Sync(f.ctx, f.path); err != nil {
					t.Fatal(err)
				}
				if _, ok, err := f.s.Exists(f.ctx, term.Node()); err != nil || !ok {
					t.Fatalf("the znode is there while the work goes on: %v, %v", ok, err)
				}
			}
			if strings.Contains(story(peer.Lines()), "elected") {
				t.Error("the peer leads while the work goes on")
			}
			close(returns)
			f.leads(peer)
			if err := <-ran; err != nil && !errors.Is(err, election.ErrStop) {
				t.Error(err)
			}
		})
	}
}

func TestOursBehindAPeerLeadsWhenThePeerCrashes(t *testing.T) {
	for _, pair := range pairs {
		t.Run(string(pair.peer), func(t *testing.T) {
			t.Parallel()
			f := newField(t, pair.peer, pair.ours)
			peer := f.join(pair.peer)
			f.leads(peer)
			ours := f.join(pair.ours)
			peer.Kill()
			f.leads(ours)
			f.oneLeaderAtATime()
		})
	}
}
