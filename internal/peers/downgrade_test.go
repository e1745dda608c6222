package peers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// stranger is a reader or a writer of another library, behind a proxy.
type stranger struct {
	*program
	asks *await.List[string] // the znodes about which it asks the server, to wait for their end
}

// downgradeKinds are the releases of the libraries that have such a lock.
var downgradeKinds = []struct {
	kind  Kind
	style lock.Style
	start func(ctx context.Context, t *testing.T, k Kind, connect, path, kind string) *program
	// behind: a reader waits for writers behind it, too.
	behind bool
}{
	{LeaderLatch, lock.StyleCurator, startCurator, false},
	{LeaderLatchNew, lock.StyleCurator, startCurator, false},
	{Kazoo, lock.StyleKazoo, startKazoo, true},
	{KazooNew, lock.StyleKazoo, startKazoo, false},
}

func startCurator(ctx context.Context, t *testing.T, k Kind, connect, path, kind string) *program {
	return startJava(ctx, t, k, "Revocation", connect, path, kind)
}

func startKazoo(ctx context.Context, t *testing.T, k Kind, connect, path, kind string) *program {
	return startPython(ctx, t, k, "steps.py", connect, path, kind)
}

// newStranger starts a program that talks to the server through a proxy of its own.
func newStranger(t *testing.T, server string, start func(connect string) *program) *stranger {
	t.Helper()
	proxy, asks := asking(t, server)
	return &stranger{start(proxy.Addr()), asks}
}

// asking returns a proxy, and the znodes about which those behind it have asked the server. It has
// answered, so it tells them of the next change if they have asked for that.
func asking(t *testing.T, server string) (*faultproxy.Proxy, *await.List[string]) {
	t.Helper()
	proxy, err := faultproxy.New(server)
	must(t, err)
	t.Cleanup(proxy.Close)
	asks := &await.List[string]{}
	proxy.OnFrame(func(f faultproxy.Frame) {
		if f.Dir == faultproxy.ToClient && (f.Op == faultproxy.OpGetData || f.Op == faultproxy.OpExists) {
			asks.Add(f.Path)
		}
	})
	return proxy, asks
}

// waits lets it wait for the lock: in the end it asks about the znode ahead, one of these.
func (s *stranger) waits(ahead ...string) {
	s.t.Helper()
	s.tell("acquire")
	s.waitsFor(ahead...)
}

// waitsFor waits until it has decided to wait for one of these znodes.
func (s *stranger) waitsFor(ahead ...string) {
	s.t.Helper()
	hasAsked(s.t, s.asks, ahead...)
}

// hasAsked waits until somebody has asked about one of these znodes.
func hasAsked(t *testing.T, asks *await.List[string], ahead ...string) {
	t.Helper()
	isAhead := func(path string) bool { return slices.Contains(ahead, path) }
	asks.Next(t, fmt.Sprintf("question about %q", ahead), 0, 1, isAhead, func() any { return asks.All() })
}

// silent demands that it has not got the lock.
func (s *stranger) silent() {
	s.t.Helper()
	if len(s.lines) > 0 {
		s.t.Errorf("%s prints %q, though it has to wait", s.name, <-s.lines)
	}
}

// Ours becomes a reader, in front of a reader and a writer of another library. Their libraries
// compare the numbers in the names: the reader comes in, and the writer waits until ours has gone.
// Each test knows what a stranger waits for by what it asks the server.
func TestADowngradeLetsNoWriterOfAnotherLibraryIn(t *testing.T) {
	for _, c := range downgradeKinds {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			need.That(t, func() error { return Available(t.Context(), c.kind) })
			e := shared(t)
			ctx := bounded(t)
			setUp := func(t *testing.T) (h *lock.Held, reader, writer *stranger, last func() string) {
				t.Helper()
				path := fmt.Sprintf("/downgrade-%x", time.Now().UnixNano())
				client, err := session.Open(e.ConnectString(), session.Config{Timeout: unhurried})
				must(t, err)
				t.Cleanup(func() { client.Close() })
				rw, err := lock.NewRW(client, path, lock.Config{Style: c.style})
				must(t, err)
				h, err = rw.Write().Acquire(ctx)
				must(t, err)
				open := func(kind string) *stranger {
					return newStranger(t, e.Addrs()[1], func(connect string) *program { return c.start(ctx, t, c.kind, connect, path, kind) })
				}
				s, err := client.Session(ctx)
				must(t, err)
				return h, open("read"), open("write"), func() string { return lastOf(ctx, t, s, path) }
			}

			if !c.behind { // else it and the writer behind it would wait for each other
				t.Run("reader first", func(t *testing.T) {
					h, reader, writer, last := setUp(t)
					reader.waits(h.Node())
					writer.waits(last())
					reader.silent()
					writer.silent()
					ours, err := h.Downgrade(ctx)
					must(t, err)
					reader.says(ctx, "acquired")
					if !ours.Valid() {
						t.Error("ours ended when another reader came in")
					}
					reader.does(ctx, "release", "released")
					writer.waitsFor(ours.Node())
					writer.silent()
					if !ours.Valid() {
						t.Error("ours ended beside a writer that waits")
					}
					must(t, ours.Release(ctx))
					writer.says(ctx, "acquired")
					writer.does(ctx, "release", "released")
					reader.end()
					writer.end()
				})
			}
			t.Run("writer first", func(t *testing.T) {
				h, reader, writer, last := setUp(t)
				writer.waits(h.Node())
				writers := last()
				reader.waits(h.Node(), writers)
				reader.silent()
				writer.silent()
				ours, err := h.Downgrade(ctx)
				must(t, err)
				writer.waitsFor(ours.Node())
				reader.waitsFor(writers)
				writer.silent()
				reader.silent()
				if !ours.Valid() {
					t.Error("ours ended beside those who wait")
				}
				must(t, ours.Release(ctx))
				writer.says(ctx, "acquired")
				reader.silent()
				writer.does(ctx, "release", "released")
				reader.says(ctx, "acquired")
				reader.does(ctx, "release", "released")
				reader.end()
				writer.end()
			})
		})
	}
}

// lastOf returns the znode with the largest number in a line.
func lastOf(ctx context.Context, t *testing.T, s *session.Session, path string) string {
	t.Helper()
	must(t, s.Sync(ctx, path))
	names, _, err := s.Children(ctx, path)
	must(t, err)
	number := func(name string) string { return name[max(0, len(name)-10):] }
	return path + "/" + slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
}
