package line

import (
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// create makes the own znode, and the path where it is missing. A place that is held for a moment is
// created by a beat, so that it needs no other.
func create(ctx context.Context, s *session.Session, cfg Config, l *firstList) (string, error) {
	if cfg.Busy {
		paths, err := createAll(ctx, s, []Config{cfg}, []*firstList{l})
		if err != nil {
			return "", err
		}
		return paths[0], nil
	}
	through, end := seeThrough(ctx, s, cfg.Clock)
	defer end()
	for ctx.Err() == nil {
		path, err := s.CreatePlace(through, cfg.Dir, string(cfg.Style), cfg.Data, cfg.ACL)
		if !errors.Is(err, zk.ErrNoNode) {
			return path, err
		}
		if err := ensure(ctx, s, cfg); err != nil {
			return "", err
		}
	}
	return "", context.Cause(ctx)
}

// createAll makes all own znodes, and the paths where they are missing.
func createAll(ctx context.Context, s *session.Session, cfgs []Config, lists []*firstList) ([]string, error) {
	var places []session.Place
	for i, cfg := range cfgs {
		places = append(places, session.Place{Dir: cfg.Dir, Name: string(cfg.Style), Data: cfg.Data, ACL: cfg.ACL, Sent: lists[i].ask})
	}
	through, end := seeThrough(ctx, s, cfgs[0].Clock)
	defer end()
	for ctx.Err() == nil {
		paths, err := s.CreatePlaces(through, places...)
		if !errors.Is(err, zk.ErrNoNode) {
			return paths, err
		}
		for _, cfg := range cfgs {
			if err := ensure(ctx, s, cfg); err != nil {
				return nil, err
			}
		}
	}
	return nil, context.Cause(ctx)
}

// seenThrough is for how long a create or a departure is waited for whose context has ended.
const seenThrough = 3 * time.Second

// seeThrough returns a context for a create or a departure of a candidate that may give up: it ends later than ctx. A
// znode whose create is known can be deleted with an announcement, so that nobody waits for a lease because of it. If
// there is no connection when ctx ends, it ends with ctx: nobody knows when there is an answer.
func seeThrough(ctx context.Context, s *session.Session, c clock.Clock) (through context.Context, end func()) {
	through, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if s.State() == session.StateConnected {
			_ = clock.Sleep(through, c, seenThrough)
		}
		cancel(context.Cause(ctx))
	})
	return through, func() { stop(); cancel(nil) }
}
