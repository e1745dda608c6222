package main

import (
	"context"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// An acquirer acquires one client's lock, or a permit, and returns what releases it.
type acquirer func(ctx context.Context) (release func(context.Context) error, err error)

// turns lets clients take one lock or semaphore in turn, and tells how long the hand-overs take.
// hosts/Locking.java and hosts/locking.py do the same.
type turns struct {
	rest       time.Duration
	permits    int
	begin, end time.Time // of what counts

	mu       sync.Mutex      // guards what follows
	holders  []chan struct{} // the oldest first; closed when a holder has to release its permit
	released time.Time       // when the last permit was; zero if it is taken again
	took     []time.Duration
	acquired int
	failed   int
}

// takeInTurn lets each of the clients take it until the end.
func takeInTurn(ctx context.Context, l peers.Load, clients []acquirer) peers.Locked {
	t := &turns{rest: l.Rest, permits: l.Permits, begin: time.Now().Add(l.WarmUp)}
	t.end = t.begin.Add(l.For)
	var taking sync.WaitGroup
	for _, acquire := range clients {
		taking.Go(func() {
			for time.Now().Before(t.end) {
				if t.take(ctx, acquire) != nil {
					t.mu.Lock()
					t.failed++
					t.mu.Unlock()
				}
			}
		})
	}
	taking.Wait()
	return locked(t.acquired, t.failed, t.took)
}

func locked(acquired, failed int, took []time.Duration) peers.Locked {
	l := peers.Locked{Acquired: acquired, Failed: failed}
	if len(took) > 0 {
		l.HandOver = median(took)
	}
	return l
}

func (t *turns) take(ctx context.Context, acquire acquirer) error {
	release, err := acquire(ctx)
	if err != nil {
		return err
	}
	t.hold()
	return release(ctx)
}

// hold returns when the caller, who has just acquired a permit, has to release it. The one that
// takes the last permit tells the oldest holder to release its own.
func (t *turns) hold() {
	now := time.Now()
	told := make(chan struct{})
	t.mu.Lock()
	if now.After(t.begin) && now.Before(t.end) {
		t.acquired++
		if t.released.After(t.begin) {
			t.took = append(t.took, now.Sub(t.released))
		}
	}
	t.released = time.Time{}
	t.holders = append(t.holders, told)
	last := len(t.holders) == t.permits
	t.mu.Unlock()
	if last {
		if now.After(t.begin) && now.Before(t.end) {
			time.Sleep(t.rest)
		}
		t.mu.Lock()
		close(t.holders[0])
		t.holders = t.holders[1:]
		t.mu.Unlock()
	}
	select {
	case <-told:
	case <-time.After(time.Until(t.end)):
	}
	t.mu.Lock()
	t.released = time.Now()
	t.mu.Unlock()
}
