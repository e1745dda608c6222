//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// The longer standstill is longer than a session timeout.
const (
	shortStandstill = lease * 3 / 2
	longStandstill  = timeout * 3 / 2
)

// faults is all that is measured. The format is that of milliseconds.
var faults = []struct {
	name, format string
	measure      func(context.Context, *lab) ([]*result, error)
}{
	{fmt.Sprintf("hand-over, %v after the last one", apart), "%.1f", handOvers},
	{"kill -9 of the leader", "%.0f", eachStruck(crash)},
	{"SIGSTOP of the leader", "%.0f", eachStruck(pause)},
	{"black hole around the leader", "%.0f", blackHoles},
	{"kill -9 of leader and heir", "%.0f", eachStruck(crashBoth)},
	{fmt.Sprintf(standstill, shortStandstill), "%.0f", standstills(shortStandstill)},
	{fmt.Sprintf(standstill, longStandstill), "%.0f", standstills(longStandstill)},
	{"kill -9 of a process that leads many elections, until all are led", "%.0f", deaths},
}

const standstill = "standstill of all servers for %v, from their return (0: the leader leads on)"

// blow strikes the leader of a cast. What it returns makes the cast whole again.
type blow func(c *cast, leader *candidate) (mend func(context.Context) error)

func crash(c *cast, leader *candidate) func(context.Context) error {
	c.kill(leader)
	return c.join
}

func crashBoth(c *cast, leader *candidate) func(context.Context) error {
	heir := c.heir()
	c.kill(leader)
	c.kill(heir)
	return func(ctx context.Context) error { return errors.Join(c.join(ctx), c.join(ctx)) }
}

func pause(c *cast, leader *candidate) func(context.Context) error {
	_ = leader.Signal(syscall.SIGSTOP) // fails if it is gone
	return func(ctx context.Context) error {
		_ = leader.Signal(syscall.SIGCONT)
		return c.joined(ctx, leader.ID)
	}
}

func blackHole(c *cast, leader *candidate) func(context.Context) error {
	drop := func(on bool) {
		for _, p := range leader.proxies {
			p.Drop(faultproxy.ToServer|faultproxy.ToClient, on)
		}
	}
	drop(true)
	return func(ctx context.Context) error {
		drop(false)
		for _, p := range leader.proxies {
			p.Cut(false) // a part of the stream is lost
		}
		return c.joined(ctx, leader.ID)
	}
}

// casts starts three candidates of each kind.
func (l *lab) casts(ctx context.Context, kinds []peers.Kind, proxied bool) (all []*cast, results []*result, end func(), err error) {
	end = func() {
		for _, c := range all {
			c.end()
		}
	}
	for _, k := range kinds {
		c := &cast{result: &result{kind: k}, lab: l, proxied: proxied && !k.OnEtcd()}
		all, results = append(all, c), append(results, c.result)
		if err := c.form(ctx); err != nil {
			return all, results, end, fmt.Errorf("%s: %w", k, err)
		}
	}
	return all, results, end, nil
}

// each does something with all casts at the same time. One that is stuck is formed anew.
func each(ctx context.Context, all []*cast, do func(*cast) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			err := do(c)
			if errors.Is(err, errStuck) {
				fmt.Fprintf(os.Stderr, "%s: %v\n", c.kind, err)
				err = c.form(ctx)
			}
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", c.kind, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// restful is how long candidates are left alone before something happens: longer than anybody needs
// to join again, and until any time between two heartbeats.
func restful() time.Duration { return timeout + time.Duration(rand.Int64N(int64(timeout))) }

// eachStruck measures a fault of one cast. All kinds have theirs at the same time, because what is
// measured is a wait.
func eachStruck(strike blow) func(context.Context, *lab) ([]*result, error) {
	return func(ctx context.Context, l *lab) ([]*result, error) { return l.struck(ctx, l.kinds, false, strike) }
}

// blackHoles leaves kinds on etcd out: the proxy does not pass their protocol.
func blackHoles(ctx context.Context, l *lab) ([]*result, error) {
	return l.struck(ctx, l.onZooKeeper(), true, blackHole)
}

func (l *lab) struck(ctx context.Context, kinds []peers.Kind, proxied bool, strike blow) ([]*result, error) {
	all, results, end, err := l.casts(ctx, kinds, proxied)
	defer end()
	for i := 0; i < l.times && err == nil; i++ {
		err = each(ctx, all, func(c *cast) error {
			time.Sleep(restful())
			leader, err := c.led(ctx)
			if err != nil {
				return err
			}
			struck := history.Now()
			mend := strike(c, leader)
			if err := c.leads(ctx, struck); err != nil {
				return err
			}
			return mend(ctx)
		})
	}
	return results, err
}

// standstills stops all servers for a while, and measures from their return. A leader that leads on
// all the time counts as 0.
func standstills(d time.Duration) func(context.Context, *lab) ([]*result, error) {
	return func(ctx context.Context, l *lab) ([]*result, error) {
		all, results, end, err := l.casts(ctx, l.kinds, true)
		defer end()
		for i := 0; i < l.times && err == nil; i++ {
			time.Sleep(restful())
			err = l.standstill(ctx, all, d)
		}
		return results, err
	}
}

func (l *lab) standstill(ctx context.Context, all []*cast, d time.Duration) error {
	if err := each(ctx, all, func(c *cast) error { _, err := c.led(ctx); return err }); err != nil {
		return err
	}
	if err := l.eachServer((*ensemble.Server).Freeze, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	for _, c := range all {
		c.drain()
		for _, one := range c.all {
			for _, p := range one.proxies {
				p.Reset()
			}
		}
	}
	back := history.Now()
	if err := l.eachServer((*ensemble.Server).Thaw, syscall.SIGCONT); err != nil {
		return err
	}
	time.Sleep(time.Second)
	for _, c := range all {
		if c.proxied {
			c.requests = append(c.requests, c.requested())
		}
	}
	return each(ctx, all, func(c *cast) error {
		if c.leader != "" {
			c.took = append(c.took, 0)
			return nil
		}
		return c.leads(ctx, back)
	})
}

// requested is how many requests the candidates have made since the last Reset.
func (c *cast) requested() (n int) {
	for _, one := range c.all {
		for _, p := range one.proxies {
			requests, _ := p.Counts().Total()
			n += requests.Frames
		}
	}
	return n
}

// eachServer does something with each server of ZooKeeper, and sends those of etcd a signal.
func (l *lab) eachServer(zooKeeper func(*ensemble.Server) error, etcd os.Signal) (err error) {
	for _, s := range l.servers.Servers() {
		err = errors.Join(err, zooKeeper(s))
	}
	if l.etcd != nil {
		err = errors.Join(err, l.etcd.Signal(etcd))
	}
	return err
}
