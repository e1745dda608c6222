package lock_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// atRequest is a fault at one request: either something that happens to the contender, or an effect
// on the request.
type atRequest struct {
	do     func(s *stage, cancel func())
	effect zktest.Effect
}

// A fault may happen at any request of a contender that acquires and releases a lock, which is free
// or held by another for a while. Nothing is left behind, the next in line gets the lock in time,
// and the lock can be acquired again.
func TestNothingIsLeftWhateverHappensAtEveryRequest(t *testing.T) {
	faults := map[string]atRequest{
		"cancel":            {do: func(s *stage, cancel func()) { cancel() }},
		"cut":               {do: func(s *stage, cancel func()) { s.Host("a").Cut() }},
		"cut and cancel":    {do: func(s *stage, cancel func()) { s.Host("a").Cut(); cancel() }},
		"silence":           {do: func(s *stage, cancel func()) { s.Host("a").Hold() }},
		"silence and leave": {do: func(s *stage, cancel func()) { s.Host("a").Hold(); cancel() }},
		"lost request":      {effect: zktest.LoseRequest},
		"lost answer":       {effect: zktest.LoseReply},
	}
	ways := map[string]func(ctx context.Context, t *testing.T, b *rwProcess){
		"write": func(ctx context.Context, t *testing.T, b *rwProcess) {
			b.Write().Do(ctx, func(context.Context, *lock.Held) error { return nil })
		},
		"try to read": func(ctx context.Context, t *testing.T, b *rwProcess) {
			if h, err := b.Read().TryAcquire(ctx); err == nil {
				h.Release(ctx)
			}
		},
		"downgrade": func(ctx context.Context, t *testing.T, b *rwProcess) {
			if h, err := b.Write().Acquire(ctx); err == nil {
				if h, err := h.Downgrade(ctx); err == nil {
					h.Release(ctx)
				}
				h.Release(ctx)
			}
		},
		"several": func(ctx context.Context, t *testing.T, b *rwProcess) {
			other, err := lock.New(b.client, stagePath+"2", lock.Config{Cleanup: true})
			if err != nil {
				t.Error(err)
				return
			}
			if set, err := lock.All(ctx, other, b.Write()); err == nil {
				set.Release(ctx)
			}
		},
	}
	for way, run := range ways {
		for fault, f := range faults {
			if testing.Short() && fault != "cancel" && fault != "cut and cancel" {
				continue
			}
			for _, ahead := range []bool{false, true} {
				name, stride := way+", "+fault, 1
				if ahead {
					name, stride = name+", another holds it", rounds.Stride(5)
				}
				t.Run(name, func(t *testing.T) {
					for nth := 1; ; nth += stride {
						if !at(t, nth, ahead, run, f) || t.Failed() {
							t.Logf("fewer than %d requests", nth)
							break
						}
					}
				})
			}
		}
	}
}

// at lets a fault happen at the n-th request from the beginning on. It reports whether there was
// one. If ahead is true, another holds the lock for the first two leases.
func at(t *testing.T, nth int, ahead bool, run func(context.Context, *testing.T, *rwProcess), f atRequest) (happened bool) {
	var count, armed atomic.Int64
	var hit chan struct{} // of the bubble
	cfg := zktest.Config{Seed: int64(nth), OnRequest: func(r zktest.Request) {
		if r.Host == "a" && armed.Load() == 1 && r.Op != zktest.OpPing && count.Add(1) == int64(nth) {
			close(hit)
		}
	}}
	onStage(t, cfg, func(t *testing.T, s *stage) {
		hit = make(chan struct{})
		a, b := s.rw("a"), s.rw("b")
		release(t, a.acquire(writing))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		released := make(chan struct{})
		if !ahead {
			close(released)
		} else {
			held := s.rw("c").acquire(writing)
			go func() {
				time.Sleep(2 * stageD)
				release(t, held)
				close(released)
			}()
		}
		var rule *zktest.Rule
		if f.do == nil {
			rule = s.On(zktest.Match{Host: "a", Nth: nth}, f.effect)
		}
		armed.Store(1)
		done := make(chan struct{})
		go func() { run(ctx, t, a); close(done) }()
		select {
		case <-hit:
			happened = true
			if f.do != nil {
				f.do(s, cancel)
			}
		case <-done:
		}
		select {
		case <-done:
		case <-time.After(time.Second):
			s.Host("a").Heal()
			<-done
		}
		armed.Store(0)
		if rule != nil { // it counts pings, too
			happened = rule.Hits() > 0
			rule.Remove()
		}
		s.Host("a").Heal()
		<-released
		begun := time.Now()
		release(t, b.acquire(writing))
		if took := time.Since(begun); took > 2*stageD+stageT {
			t.Errorf("request %d: the next waits for %v", nth, took)
		}
		release(t, a.acquire(reading))
		await.Sleep(2 * stageT)
		if n := s.left(stagePath) + s.left(stagePath+"2"); n != 0 {
			t.Errorf("request %d: %d are left", nth, n)
		}
	})
	return happened
}
