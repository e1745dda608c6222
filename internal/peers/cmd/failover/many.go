//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/session"
)

// manyPatience bounds what a thousand elections take from the first process's start.
const manyPatience = 2 * time.Minute

// onZooKeeper is the kinds that are not on etcd.
func (l *lab) onZooKeeper() []peers.Kind {
	return slices.DeleteFunc(slices.Clone(l.kinds), peers.Kind.OnEtcd)
}

// deaths measures one kind after the other, because all processors are busy meanwhile.
func deaths(ctx context.Context, l *lab) ([]*result, error) {
	client, err := session.Open(l.servers.ConnectString(), session.Config{})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var all []*result
	for _, k := range l.onZooKeeper() {
		all = append(all, &result{kind: k})
	}
	for range l.deaths {
		for _, r := range all {
			took, err := l.death(ctx, client, r.kind)
			switch {
			case err == nil:
				r.took = append(r.took, took)
			case ctx.Err() == nil && (errors.Is(err, errTooSoon) || errors.Is(err, context.DeadlineExceeded)):
				fmt.Fprintf(os.Stderr, "SKIP: %s: %v\n", r.kind, err)
			default:
				return nil, fmt.Errorf("%s: %w", r.kind, err)
			}
		}
	}
	return all, nil
}

// death lets a process lead all elections and a second one wait in all, kills the first one, and
// measures until the second one leads all.
func (l *lab) death(ctx context.Context, client *session.Client, k peers.Kind) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, manyPatience)
	defer cancel()
	path := l.path(k)
	first, err := l.startMany(ctx, k, path, "first")
	if err != nil {
		return 0, err
	}
	defer first.Kill()
	if _, err := l.leadsAll(ctx, first, 0); err != nil {
		return 0, err
	}
	second, err := l.startMany(ctx, k, path, "second")
	if err != nil {
		return 0, err
	}
	defer second.Kill()
	if err := l.bothInLine(ctx, client, path); err != nil {
		return 0, err
	}
	time.Sleep(restful())
	killed := history.Now()
	first.Kill()
	last, err := l.leadsAll(ctx, second, killed)
	return time.Duration(last - killed), err
}

func (l *lab) startMany(ctx context.Context, k peers.Kind, path, id string) (*peers.Peer, error) {
	return l.hosts.Start(ctx, k, peers.Config{Connect: l.servers.ConnectString(), Path: path, ID: id, Timeout: timeout, Elections: l.elections})
}

// errTooSoon says that a process was elected before the other one was killed, because this machine
// is overloaded.
var errTooSoon = errors.New("elected before the fault")

// leadsAll waits until a process has been elected in all elections since an instant, and returns
// when the last time was.
func (l *lab) leadsAll(ctx context.Context, p *peers.Peer, since int64) (last int64, err error) {
	led := map[string]bool{}
	for len(led) < l.elections {
		line, err := p.Wait(ctx, "elected")
		if err != nil {
			return 0, fmt.Errorf("%s leads %d of %d: %w", p.ID, len(led), l.elections, err)
		}
		if line.T < since {
			return 0, errTooSoon
		}
		if !led[line.Node] {
			led[line.Node], last = true, line.T
		}
	}
	return last, nil
}

// bothInLine waits until two stand in each line.
func (l *lab) bothInLine(ctx context.Context, client *session.Client, path string) error {
	s, err := client.Session(ctx)
	if err != nil {
		return err
	}
	if err := s.Sync(ctx, path); err != nil {
		return err
	}
	for i := 0; i < l.elections; {
		children, _, err := s.Children(ctx, fmt.Sprintf("%s/%d", path, i))
		switch {
		case err != nil:
			return fmt.Errorf("line %d: %w", i, err)
		case len(children) >= 2:
			i++
		default:
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}
