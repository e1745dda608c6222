package line

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// create makes the own znode, and the path where it is missing. A place that is held for a moment
// is created by a beat, so that it needs no other. through comes from SeeThrough(ctx).
func create(ctx, through context.Context, s *session.Session, cfg Config, l *firstList) (string, error) {
	if cfg.Busy {
		paths, err := createAll(ctx, through, s, []Config{cfg}, []*firstList{l})
		if err != nil {
			return "", err
		}
		return paths[0], nil
	}
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
func createAll(ctx, through context.Context, s *session.Session, cfgs []Config, lists []*firstList) ([]string, error) {
	var places []session.Place
	for i, cfg := range cfgs {
		places = append(places, session.Place{Dir: cfg.Dir, Name: string(cfg.Style), Data: cfg.Data, ACL: cfg.ACL, Sent: lists[i].ask})
	}
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
