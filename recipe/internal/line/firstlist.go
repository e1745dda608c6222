package line

import (
	"cmp"
	"context"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// A firstList is the list of the line that a new place needs. If a beat carries the create of the
// place, the list is asked for when that beat has been sent. Otherwise it is asked for when the
// create has been answered. A server answers the requests on one connection in order. So in the
// first case the list comes right after the answer to the create, and joining takes one round trip
// less. If the connection is lost between the two, or the create has to be tried again, the list
// may lack the own znode. Then it tells nothing.
type firstList struct {
	s       *session.Session
	cfg     Config
	follows bool // see Memory.follows
	record  bool // whether the record is read, too

	asked  atomic.Bool
	listed chan listed // has room for the one answer
	held   chan held   // likewise, for the record
}

// listed is the answer to the request for the children of the path. It arrived at the instant at.
type listed struct {
	children []string
	stat     zk.Stat
	at       clock.Instant
	err      error
}

// held is the answer to the read of the path, which holds the record.
type held struct {
	data []byte
	stat zk.Stat
	err  error
}

func newFirstList(s *session.Session, cfg Config) *firstList {
	follows, behind := cfg.Memory.follows(s, cfg.Clock.Now())
	return &firstList{
		s: s, cfg: cfg, follows: follows, record: !follows || behind,
		listed: make(chan listed, 1), held: make(chan held, 1),
	}
}

// ask asks for the list, unless that has been done. It is called when a beat with the create has
// been sent.
func (l *firstList) ask() {
	if l.asked.Swap(true) {
		return
	}
	l.s.AskChildren(l.cfg.Dir, func(children []string, stat zk.Stat, err error) {
		l.listed <- listed{children, stat, l.cfg.Clock.Now(), err}
	})
	if l.record {
		l.s.AskData(l.cfg.Dir, func(data []byte, stat zk.Stat, err error) { l.held <- held{data, stat, err} })
	} else {
		l.held <- held{}
	}
}

// created returns the list. It is called when the create has been answered. If nobody has asked for
// the list by then, created reads it, together with others in this session that read the same line
// at that moment.
func (l *firstList) created(ctx context.Context) (reading, error) {
	if !l.asked.Swap(true) {
		return read(ctx, l.cfg.Clock, l.s, l.cfg.Dir, l.record)
	}
	var names listed
	var record held
	for range 2 {
		select {
		case names = <-l.listed:
		case record = <-l.held:
		case <-ctx.Done():
			return reading{}, context.Cause(ctx)
		}
	}
	if err := cmp.Or(names.err, record.err); err != nil {
		return reading{}, goneIfNoNode(err)
	}
	r := reading{names: Sort(names.children), at: names.at, stat: names.stat, record: record.data, held: record.stat}
	if Ambiguous(r.names) {
		return read(ctx, l.cfg.Clock, l.s, l.cfg.Dir, l.record)
	}
	return r, nil
}
