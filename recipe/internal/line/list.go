package line

import (
	"cmp"
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/flight"
	"github.com/zkrecipe/zkrecipe/session"
)

// reading is what a line looked like.
type reading struct {
	names  []Name        // belongs to all who asked: not to be changed
	at     clock.Instant // when the last answer about the names arrived
	stat   zk.Stat       // of the path when it was listed
	record []byte        // what the path held, before or afterwards
	held   zk.Stat       // of the path then
}

// where is a line as one session sees it. Without the record only the names are read.
type where struct {
	s      *session.Session
	dir    string
	record bool
}

// lists shares the readings of lines. If a thousand candidates of one session join at the same
// time, most of the work would be to list the line and to put the names in order for each of them
// alone.
var lists flight.Group[where, reading]

// read returns the names in the line, first to last, as they are at some moment after the call, and
// the record, if that is wanted.
func read(ctx context.Context, c clock.Clock, s *session.Session, dir string, record bool) (reading, error) {
	at := where{s, dir, record}
	return lists.Do(ctx, at, func(ctx context.Context) (reading, error) { return at.once(ctx, c) })
}

// once reads the names and the record at the same time. It does not matter which of the two is
// older: an older record knows less.
func (at where) once(ctx context.Context, c clock.Clock) (r reading, err error) {
	record := make(chan error, 1)
	var data []byte
	var held zk.Stat
	if at.record {
		go func() {
			var err error
			data, held, err = at.s.Get(ctx, at.dir)
			record <- err
		}()
	} else {
		record <- nil
	}
	r, err = at.names(ctx, c)
	failed := <-record
	r.record, r.held = data, held
	return r, goneIfNoNode(cmp.Or(err, failed))
}

// names lists the line, and tells when the last answer about the names arrived.
func (at where) names(ctx context.Context, c clock.Clock) (r reading, err error) {
	children, stat, err := at.s.Children(ctx, at.dir)
	if err != nil {
		return reading{}, err
	}
	names, err := order(ctx, at.s, at.dir, children)
	return reading{names: names, stat: stat, at: c.Now()}, err
}

// List returns the names in a line, first to last, as one server sees them. A path that is missing
// has none.
func List(ctx context.Context, s *session.Session, dir string) ([]Name, error) {
	children, _, err := s.Children(ctx, dir)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return Order(ctx, s, dir, children)
}
