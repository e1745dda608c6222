package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// No watch at a server waits for a missing znode. The session itself signals the creation of its
// own znodes.
func TestAWatchOfAMissingZnodeHearsOfACreateInItsSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ctx := within(t, hang)
		create := map[string]func(path string) error{
			"create":     func(path string) error { _, err := b.s.Create(ctx, path, nil, zk.FlagPersistent, nil); return err },
			"ensurePath": func(path string) error { return b.s.EnsurePath(ctx, path, nil) },
			"multi": func(path string) error {
				_, err := b.s.Multi(ctx, &zk.CheckVersionRequest{Path: "/", Version: -1}, &zk.CreateRequest{Path: path})
				return err
			},
		}
		for name, f := range create {
			wake := make(chan struct{}, 1)
			w := b.s.Watch("/"+name, wake)
			if _, _, err := w.Get(ctx); !errors.Is(err, zk.ErrNoNode) {
				t.Fatal(err)
			}
			must(t, f("/other-"+name))
			select {
			case <-wake:
				t.Errorf("%s: a signal for another path", name)
			default:
			}
			must(t, f("/"+name))
			select {
			case <-wake:
			default:
				t.Errorf("%s: no signal", name)
			}
			w.Stop()
		}
	})
}

// If a create in a beat is refused, the whole beat is refused. The next beat carries no creates. So
// creates that are refused one after another cost no lease, even if a lease has time for only a few
// beats.
func TestCreatesThatAreRefusedCostNoLease(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // a create may come at any moment
	for range 4 / rounds.Stride(4) {
		inBubble(t, createsThatAreRefused)
	}
}

func createsThatAreRefused(t *testing.T, b *bubble) {
	_, l := held(t, b.s)
	b.host.Delay(b.s.LeaseTime() / 10) // a beat takes a fifth of the lease
	refused, most := 0, 0
	b.Trap.Set(func(r zktest.Request) bool {
		switch {
		case r.Op != zktest.OpMulti || r.Paths[len(r.Paths)-1] != b.s.HeartbeatPath(b.s.ID()): // it is no beat
		case slices.ContainsFunc(r.Paths, func(p string) bool { return strings.HasPrefix(p, "/missing") }):
			refused++
			most = max(most, refused)
		default:
			refused = 0
		}
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 200 {
		asking.Go(func() {
			for ctx.Err() == nil {
				if _, err := b.s.CreatePlaces(ctx, session.Place{Dir: "/missing", Name: "n-"}); !errors.Is(err, zk.ErrNoNode) && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2_000 {
		await.Sleep(b.s.LeaseTime() / 100)
		if l.Remaining() < b.s.LeaseTime()/8 {
			t.Errorf("a lease of %[2]v runs only for %[1]v more", l.Remaining(), b.s.LeaseTime())
			break
		}
	}
	cancel()
	asking.Wait()
	b.Trap.Set(nil)
	if most != 1 {
		t.Errorf("%d beats in a row carried a create that was refused; want 1", most)
	}
}

// If nothing is held, no beat follows a refused one. But a beat carries the repeated create, so
// that the place has its lease at once.
func TestACreateGoesWithABeatAfterOneThatWasRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p, _ := held(t, b.s) // makes the heartbeat
		p.release()
		await.Sleep(simT)
		for i := range 5 {
			dir := fmt.Sprint("/new", i)
			if _, err := b.s.CreatePlaces(t.Context(), session.Place{Dir: dir, Name: "n-"}); !errors.Is(err, zk.ErrNoNode) {
				t.Fatal(err)
			}
			must(t, b.s.EnsurePath(t.Context(), dir, nil))
			before, _ := b.beats()
			paths, err := b.s.CreatePlaces(t.Context(), session.Place{Dir: dir, Name: "n-"})
			must(t, err)
			if after, _ := b.beats(); after != before+1 {
				t.Errorf("%s: %d beats with the create; want 1", paths[0], after-before)
			}
			must(t, b.s.EnsureDeleted(t.Context(), paths[0]))
		}
	})
}
