package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

var undisturbedLeases = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, time.Second, 4 * time.Second, longTimeout / 2}

// measureUndisturbed lets leaders lead, each with an heir behind it, and counts the terms that end
// although nobody does anything.
func measureUndisturbed(l *lab) error {
	t := table{
		title: fmt.Sprintf("Leaders that nobody disturbs for %v, session timeout %v:", l.undisturbed, longTimeout),
		head:  []string{"lease D", "terms lost", "beats", "beats that failed", "reconnects", "slowest beat at most, ms", "of D/4"},
	}
	ctx, stop := context.WithCancel(l.ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var leaders []*lonely
	for _, D := range undisturbedLeases {
		one, err := leadAlone(ctx, l, D, &running)
		if err != nil {
			return err
		}
		leaders = append(leaders, one)
	}
	select {
	case <-time.After(l.undisturbed):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, D := range undisturbedLeases {
		c := leaders[i].Status().Counts
		slowest, part := "more", ""
		for bit, within := range c.BeatsWithin {
			if within == c.Beats {
				most := time.Millisecond << bit
				slowest, part = millis(most), ratio(most, D/4)
				break
			}
		}
		t.add(D, leaders[i].lost.Load(), c.Beats, c.FailedBeats, c.Reconnects, slowest, part)
	}
	t.print(l.out)
	return nil
}

// lonely is the client of a leader that should lead for ever.
type lonely struct {
	*session.Client
	lost atomic.Int64
}

// leadAlone returns when one of two candidates leads. Both run until ctx ends.
func leadAlone(ctx context.Context, l *lab, D time.Duration, running *sync.WaitGroup) (*lonely, error) {
	path := l.path("undisturbed")
	one := &lonely{}
	for _, leader := range []bool{true, false} {
		client, err := session.Open(l.ensemble.ConnectString(), session.Config{Timeout: longTimeout, Lease: D})
		if err != nil {
			return nil, err
		}
		elected, standing := make(chan struct{}, 1), make(chan struct{}, 1)
		el, err := election.New(client, path, election.Config{OnEvent: func(ev election.Event) {
			switch ev.Kind {
			case election.EventElected:
				offer(elected)
			case election.EventDeposed:
				if ctx.Err() == nil {
					one.lost.Add(1)
				}
			case election.EventHeir:
				offer(standing)
			}
		}})
		if err != nil {
			return nil, err
		}
		running.Go(func() {
			defer client.Close()
			el.Run(ctx, untilDone)
		})
		awaited := standing
		if leader {
			one.Client, awaited = client, elected
		}
		if _, err := receive(l, awaited); err != nil {
			return nil, err
		}
	}
	return one, nil
}

// offer leaves one signal in a channel with room for one.
func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
