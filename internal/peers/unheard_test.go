package peers

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// unheard lets something happen while nothing passes through a proxy.
func unheard(p *faultproxy.Proxy, happens func()) {
	p.Refuse(true)
	p.Cut(false)
	happens()
	p.Refuse(false)
}

// startMutex starts a mutex of Curator.
func startMutex(ctx context.Context, t *testing.T, k Kind, server, path string) *stranger {
	return newStranger(t, server, func(connect string) *program {
		return startCurator(ctx, t, k, connect, path, "lock")
	})
}

// Both libraries ask the holder, which is ours, to release the lock while it is cut off. Curator's
// mutex and ours stand behind it, in either order: the next one watches the znode that is written.
func TestAHolderThatWasCutOffHearsOnceThatBothLibrariesAskForTheLock(t *testing.T) {
	for name, theirsIsNext := range map[string]bool{"theirs is next": true, "ours is next": false} {
		t.Run(name, func(t *testing.T) {
			bothCurators(t, func(ctx context.Context, t *testing.T, k Kind) {
				f := newField(t, k)
				proxy := faultproxy.ForTest(t, f.e.Addrs()[0])
				holder := ourRevocable(t, proxy.Addr(), f.path, "lock")
				ours := ourRevocable(t, f.e.ConnectString(), f.path, "lock")
				theirs := startMutex(ctx, t, k, f.e.Addrs()[1], f.path)
				h, err := holder.Acquire(ctx)
				must(t, err)
				var got <-chan *lock.Held
				theirTurn := func() {
					theirs.says(ctx, "acquired")
					if len(got) > 0 {
						t.Error("ours has the lock beside Curator's mutex")
					}
					theirs.does(ctx, "release", "released")
				}
				ourTurn := func() {
					h := <-got
					theirs.silent()
					must(t, h.Release(ctx))
				}
				turns := []func(){ourTurn, theirTurn}
				if theirsIsNext {
					turns = []func(){theirTurn, ourTurn}
					theirs.waits(h.Node())
				}
				got = ours.queue(ctx, t)
				if !theirsIsNext {
					theirs.waits(lastOf(ctx, t, f.s, f.path))
				}

				theirs.asks.Reset()
				unheard(proxy, func() {
					must(t, ours.Revoke(ctx))
					theirs.does(ctx, "revoke", "asked")
				})
				holder.wasTold(ctx, t, h)
				if theirsIsNext {
					theirs.waitsFor(h.Node()) // it has heard of a change, and waits on
				}
				theirs.silent()
				if !h.Valid() || len(got) > 0 {
					t.Errorf("valid %v, %d have the lock besides", h.Valid(), len(got))
				}
				must(t, ours.Revoke(ctx)) // the holder hears it this time, but it knows
				must(t, h.Release(ctx))
				for _, turn := range turns {
					turn()
				}
				if n := len(holder.told) + len(ours.told); n > 0 {
					t.Errorf("told %d times more", n)
				}
				theirs.end()
			})
		})
	}
}

// A LeaderLatch waits behind the names of latches alone, and a mutex of Curator behind those of
// locks. So in this line the leader of an election of ours is first, which is a latch by its name,
// then come the LeaderLatch, a lock of ours, and Curator's mutex. The leader is cut off when
// somebody asks it to release the lock. That uses up the watch of the LeaderLatch. It does not hear
// that the leader goes, until something else makes it look. Those behind it wait until it has gone.
func TestALeaderLatchGoesDeafWhenTheOneAheadIsAskedToRelease(t *testing.T) {
	for name, c := range map[string]struct {
		asked bool
		wakes func(f *field, latch *Peer, proxy *faultproxy.Proxy) // nil: nothing does
	}{
		"nobody asks it":      {false, nil},
		"the latch is closed": {true, nil},
		"the latch connects anew": {true, func(f *field, latch *Peer, proxy *faultproxy.Proxy) {
			proxy.Cut(true)
			f.leads(latch)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bothCurators(t, func(ctx context.Context, t *testing.T, k Kind) {
				f := newField(t, k)
				server := f.e.Addrs()[1]
				cut := faultproxy.ForTest(t, f.e.Addrs()[0])
				client, err := session.Open(cut.Addr(), session.Config{Timeout: unhurried})
				must(t, err)
				t.Cleanup(func() { client.Close() })
				el, err := election.New(client, f.path, election.Config{Style: election.StyleLatch})
				must(t, err)
				term, err := el.Campaign(ctx)
				must(t, err)
				proxy, asks := asking(t, server)
				latch := f.start(k, Config{Connect: proxy.Addr(), Timeout: unhurried})
				hasAsked(t, asks, term.Node())
				ours := ourRevocable(t, f.e.ConnectString(), f.path, "lock")
				got := ours.queue(ctx, t)
				theirs := startMutex(ctx, t, k, server, f.path)
				theirs.waits(lastOf(ctx, t, f.s, f.path))
				wait := func() {
					t.Helper()
					theirs.silent()
					if len(got) > 0 {
						t.Error("ours has the lock beside the latch")
					}
				}

				unheard(cut, func() {
					if c.asked {
						must(t, ours.Revoke(ctx))
					}
				})
				must(t, term.Release(ctx)) // not an error that tells how the term was lost
				f.send(latch, "look")
				want := "leads"
				if c.asked {
					want = "waits"
				}
				if l := f.wait(latch, "looked"); l.Reason != want {
					t.Errorf("the latch %s; want that it %s", l.Reason, want)
				}
				wait()
				if c.wakes != nil {
					c.wakes(f, latch, proxy)
					wait()
				}
				f.send(latch, "quit")
				f.wait(latch, "left")
				h := <-got
				theirs.silent()
				must(t, h.Release(ctx))
				theirs.says(ctx, "acquired")
				theirs.does(ctx, "release", "released")
				theirs.end()
			})
		})
	}
}
