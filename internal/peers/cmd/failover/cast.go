//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// patience bounds what should be over in a session timeout or two.
const patience = 30 * time.Second

// cast is three candidates of a kind.
type cast struct {
	*result
	lab     *lab
	path    string // of its election
	proxied bool   // each candidate has proxies of its own
	born    int    // how many candidates there have been

	all    map[string]*candidate // by ID
	lines  chan peers.Line       // what all of them tell
	line   []string              // IDs in the order in which they joined
	leader string                // "": nobody leads
}

// candidate is a process and the proxies between it and the servers, if any.
type candidate struct {
	*peers.Peer
	proxies []*faultproxy.Proxy
}

func (c *candidate) end() {
	c.Kill()
	for _, p := range c.proxies {
		p.Close()
	}
}

// form starts a cast in an election of its own, after the end of the one that was there.
func (c *cast) form(ctx context.Context) error {
	c.end()
	c.lines, c.line, c.leader, c.all = make(chan peers.Line, 10000), nil, "", map[string]*candidate{}
	c.path = c.lab.path(c.kind)
	for range 3 {
		if err := c.join(ctx); err != nil {
			return err
		}
	}
	_, err := c.led(ctx)
	return err
}

// join starts a candidate and waits until it stands in line.
func (c *cast) join(ctx context.Context) error {
	id := fmt.Sprintf("candidate-%d", c.born)
	c.born++
	one, connect := &candidate{}, c.lab.connect(c.kind)
	if c.proxied {
		var all []string
		for _, addr := range c.lab.servers.Addrs() {
			p, err := faultproxy.New(addr)
			if err != nil {
				return err
			}
			one.proxies, all = append(one.proxies, p), append(all, p.Addr())
		}
		connect = strings.Join(all, ",")
	}
	lines := c.lines
	var err error
	one.Peer, err = c.lab.hosts.Start(ctx, c.kind, peers.Config{
		Connect: connect, Path: c.path, ID: id, Timeout: timeout, Beat: time.Second,
		OnLine: func(l peers.Line) {
			switch l.Event {
			case "joined", "elected", "deposed", "error":
				lines <- l
			}
		}})
	if err != nil {
		return err
	}
	c.all[id] = one
	return c.joined(ctx, id)
}

// joined waits until a candidate tells that it stands in line.
func (c *cast) joined(ctx context.Context, id string) error {
	_, err := c.await(ctx, func(l peers.Line) bool { return l.Event == "joined" && l.ID == id })
	if err == nil {
		return nil
	}
	select {
	case <-c.all[id].Done():
		return fmt.Errorf("%s has ended: %s", id, c.all[id].Stderr())
	default:
		return fmt.Errorf("%s has not joined: %w", id, err)
	}
}

var (
	// errTooEarly says that a leader was told to resign before it was ready to.
	errTooEarly = errors.New("cannot resign yet")
	errStuck    = fmt.Errorf("waited for %v", patience)
)

// await passes over what the candidates tell, until one tells what is awaited.
func (c *cast) await(ctx context.Context, is func(peers.Line) bool) (peers.Line, error) {
	guard := time.NewTimer(patience)
	defer guard.Stop()
	for {
		select {
		case l := <-c.lines:
			c.note(l)
			if is(l) {
				return l, nil
			}
			if strings.Contains(l.Error, "cannot resign") {
				return l, errTooEarly
			}
		case <-guard.C:
			return peers.Line{}, errStuck
		case <-ctx.Done():
			return peers.Line{}, context.Cause(ctx)
		}
	}
}

// elected waits for the first who is elected after an instant.
func (c *cast) elected(ctx context.Context, after int64) (peers.Line, error) {
	return c.await(ctx, func(l peers.Line) bool { return l.Event == "elected" && l.T > after })
}

// led takes note of what has happened, and returns who leads, as soon as somebody does.
func (c *cast) led(ctx context.Context) (leader *candidate, err error) {
	if c.drain(); c.leader == "" {
		_, err = c.elected(ctx, 0)
	}
	return c.all[c.leader], err
}

func (c *cast) drain() {
	for len(c.lines) > 0 {
		c.note(<-c.lines)
	}
}

func (c *cast) note(l peers.Line) {
	switch l.Event {
	case "joined":
		c.leave(l.ID)
		c.line = append(c.line, l.ID)
	case "elected":
		c.leader = l.ID
	case "deposed":
		if c.leader == l.ID {
			c.leader = ""
		}
	}
}

func (c *cast) leave(id string) {
	c.line = slices.DeleteFunc(c.line, func(other string) bool { return other == id })
}

// heir is the first in line behind the leader. client-go has no line: any other one.
func (c *cast) heir() *candidate {
	i := slices.IndexFunc(c.line, func(id string) bool { return id != c.leader })
	return c.all[c.line[i]]
}

// kill is kill -9.
func (c *cast) kill(one *candidate) {
	c.leave(one.ID)
	delete(c.all, one.ID)
	if c.leader == one.ID {
		c.leader = ""
	}
	one.end()
}

// leads measures from an instant until somebody is elected. Where nobody is, so long as was waited
// counts.
func (c *cast) leads(ctx context.Context, since int64) error {
	l, err := c.elected(ctx, since)
	switch {
	case err == nil:
		c.took = append(c.took, time.Duration(l.T-since))
	case errors.Is(err, errStuck):
		c.took = append(c.took, patience)
		return fmt.Errorf("nobody leads: %w", err)
	}
	return err
}

func (c *cast) end() {
	for _, one := range c.all {
		one.end()
	}
}
