//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

const (
	// apart is the time between a hand-over and the next one.
	apart = 20 * time.Millisecond
	// blocks is in how many parts the hand-overs are divided, so that what disturbs the machine
	// disturbs all kinds.
	blocks = 4
)

// handOvers measures one kind after the other.
func handOvers(ctx context.Context, l *lab) ([]*result, error) {
	all, results, end, err := l.casts(ctx, l.kinds, false)
	defer end()
	if err != nil {
		return nil, err
	}
	for range blocks {
		for _, c := range all {
			for range (l.handOvers + blocks - 1) / blocks {
				if err := c.handOver(ctx); err != nil {
					return nil, fmt.Errorf("%s: %w", c.kind, err)
				}
			}
		}
	}
	return results, nil
}

// handOver makes the leader resign, and measures until the next callback. One that is deposed by
// itself meanwhile, or that leads once more, is not counted.
func (c *cast) handOver(ctx context.Context) error {
	for try := 0; ; try++ {
		time.Sleep(apart)
		former, err := c.led(ctx)
		if err != nil {
			return err
		}
		asked := history.Now()
		if err := former.Send("resign"); err != nil {
			return err
		}
		l, err := c.elected(ctx, asked)
		if errors.Is(err, errTooEarly) && try < 100 {
			continue
		}
		if err == nil && l.ID != former.ID {
			c.took = append(c.took, time.Duration(l.T-asked))
		}
		return err
	}
}
