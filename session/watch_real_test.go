package session_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

// hasty is a clock without pauses between attempts.
type hasty struct{ clock.Clock }

func (hasty) Random() float64 { return -0.5 }

// hurried returns a context with a hasty clock.
func hurried(t testing.TB) context.Context { return clock.With(t.Context(), hasty{clock.System}) }

// With the race detector this fails if zk itself ever restores a watch.
func TestWatchesAreRacelessAcrossAHundredReconnects(t *testing.T) {
	c := proxied(t, three(t))
	c.proxies = c.proxies[:1]
	p := c.proxies[0]
	client := c.open(session.Config{Timeout: steady, Context: hurried(t)})
	s := c.established(client)
	ctx, cancel := context.WithCancel(within(t, hang))
	must(t, s.EnsurePath(ctx, "/w", nil))
	wake := make(chan struct{}, 1)
	var busy sync.WaitGroup
	for i := range 4 { // requests are always under way
		path := fmt.Sprintf("/w/%d", i)
		must(t, s.EnsurePath(ctx, path, nil))
		w := s.Watch(path, wake)
		defer w.Stop()
		busy.Go(func() {
			for ctx.Err() == nil {
				w.Get(ctx)
				s.Set(ctx, path, nil, -1)
			}
		})
	}
	for range 100 {
		c.reconnect(p)
	}
	cancel()
	busy.Wait()
	if s.Err() != nil {
		t.Error(s.Err())
	}
	if n := p.Counts().Requests[faultproxy.OpSetWatches].Frames; n != 0 {
		t.Errorf("zk restored watches %d times", n)
	}
}
