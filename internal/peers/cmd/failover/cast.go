//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

const (
	// apart is the time between a hand-over and the next one.
	apart = 20 * time.Millisecond
	// patience bounds what should be over in a session timeout or two.
	patience = 30 * time.Second
)

// cast is three candidates of a kind.
type cast struct {
	kind    peers.Kind
	hosts   *peers.Hosts
	connect string
	all     map[string]*peers.Peer // by ID
	born    int                    // how many there have been
	lines   chan peers.Line        // elected, joined and errors, of all of them
	leader  string

	crashes, handOvers []time.Duration
}

func (c *cast) form(ctx context.Context) error {
	for range 3 {
		if err := c.join(ctx); err != nil {
			return err
		}
	}
	_, err := c.elected(ctx, 0)
	return err
}

// join starts a candidate and waits until it stands in line.
func (c *cast) join(ctx context.Context) error {
	id := fmt.Sprintf("candidate-%d", c.born)
	c.born++
	joined := make(chan struct{}, 1)
	p, err := c.hosts.Start(ctx, c.kind, peers.Config{
		Connect: c.connect, Path: fmt.Sprintf("/failover-%x", string(c.kind)), ID: id, Timeout: timeout, Beat: time.Second,
		OnLine: func(l peers.Line) {
			switch l.Event {
			case "joined":
				select {
				case joined <- struct{}{}:
				default:
				}
			case "elected", "error":
				c.lines <- l
			}
		}})
	if err != nil {
		return err
	}
	c.all[id] = p
	select {
	case <-joined:
		return nil
	case <-p.Done():
		return fmt.Errorf("%s has ended: %s", id, p.Stderr())
	case <-time.After(patience):
		return fmt.Errorf("%s has not joined", id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errTooEarly says that a leader was told to resign before it was ready to.
var errTooEarly = errors.New("cannot resign yet")

// elected waits for the next leader after a time.
func (c *cast) elected(ctx context.Context, after int64) (peers.Line, error) {
	guard := time.NewTimer(patience)
	defer guard.Stop()
	for {
		select {
		case l := <-c.lines:
			if l.Event == "elected" && l.T > after {
				c.leader = l.ID
				return l, nil
			}
			if strings.Contains(l.Error, "cannot resign") {
				return l, errTooEarly
			}
		case <-guard.C:
			return peers.Line{}, fmt.Errorf("nobody was elected for %v", patience)
		case <-ctx.Done():
			return peers.Line{}, context.Cause(ctx)
		}
	}
}

// handOver makes the leader resign, and measures until the next callback. One that is deposed by
// itself meanwhile, or that leads once more, is not counted.
func (c *cast) handOver(ctx context.Context) error {
	for try := 0; ; try++ {
		time.Sleep(apart)
		c.drain()
		former, asked := c.leader, history.Now()
		if err := c.all[former].Send("resign"); err != nil {
			return err
		}
		l, err := c.elected(ctx, asked)
		if errors.Is(err, errTooEarly) && try < 100 {
			continue
		}
		if err == nil && l.ID != former {
			c.handOvers = append(c.handOvers, time.Duration(l.T-asked))
		}
		return err
	}
}

// drain passes over what has happened meanwhile.
func (c *cast) drain() {
	for len(c.lines) > 0 {
		if l := <-c.lines; l.Event == "elected" {
			c.leader = l.ID
		}
	}
}

// crash kills the leader at any time of its heartbeats, measures until the next callback, and lets
// another candidate join.
func (c *cast) crash(ctx context.Context) error {
	time.Sleep(timeout + time.Duration(rand.Int64N(int64(timeout))))
	c.drain()
	former := c.leader
	killed := history.Now()
	c.all[former].Kill()
	delete(c.all, former)
	l, err := c.elected(ctx, killed)
	if err != nil {
		return fmt.Errorf("%s: %w", c.kind, err)
	}
	c.crashes = append(c.crashes, time.Duration(l.T-killed))
	if err := c.join(ctx); err != nil {
		return fmt.Errorf("%s: %w", c.kind, err)
	}
	return nil
}

func (c *cast) end() {
	for _, p := range c.all {
		p.Kill()
	}
}

// String is the kind as a reader knows it.
func (c *cast) String() string {
	if c.kind.Ours() {
		return "zkrecipe"
	}
	return string(c.kind)
}
