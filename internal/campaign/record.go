//go:build linux

package campaign

import (
	"context"
	"fmt"
	"sync"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// standing is how a candidate stands, by its last lines.
type standing struct {
	inLine, leading, heir bool // a contender that holds leads
	suspended             bool
	token                 int64 // of its latest term
	elected, beat         int64 // when that began, and was seen last
	reads                 int64 // when a writer became a reader last
	node, session         string
}

// served reports whether a contender has begun to hold what it wants since then, and beats.
func (s *standing) served(since int64) bool {
	return s != nil && s.elected >= since && s.beat >= s.elected
}

// record is the history of a round while it is being written.
type record struct {
	mu    sync.Mutex // guards what follows
	lines []history.Line
	now   map[string]*standing
	gone  map[string]int64 // when a znode was first seen to be gone
	more  chan struct{}    // closed and replaced at every line
}

func newRecord() *record {
	return &record{now: map[string]*standing{}, gone: map[string]int64{}, more: make(chan struct{})}
}

// mark adds a line of the nemesis, stamped now unless it has a stamp.
func (r *record) mark(l history.Line) {
	l.ID = history.Nemesis
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.T == 0 {
		l.T = history.Now()
	}
	switch l.Event {
	case "started", "killed":
		delete(r.now, l.Of)
	case "gone":
		if r.gone[l.Node] == 0 {
			r.gone[l.Node] = l.T
		} else if len(l.Ahead) == 0 {
			return // seen at another server already
		}
	}
	r.add(l)
}

// tell adds a line of a candidate.
func (r *record) tell(l history.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.now[l.ID]
	if s == nil {
		s = &standing{}
		r.now[l.ID] = s
	}
	switch l.Event {
	case "session":
		s.session, s.suspended = l.Session, false
	case "suspended":
		s.suspended = true
	case "joined":
		s.inLine, s.heir, s.leading, s.node = true, false, false, l.Node
	case "heir":
		s.heir = true
	case "downgraded":
		s.leading, s.reads = true, l.T
	case "elected", "acquired":
		s.leading, s.heir, s.token, s.elected = true, false, l.Token, l.T
	case "beat":
		s.beat = l.T
	case "deposed", "lost", "released":
		s.leading = false
	case "left":
		s.inLine, s.heir, s.leading = false, false, false
	}
	r.add(l)
}

// add requires mu.
func (r *record) add(l history.Line) {
	r.lines = append(r.lines, l)
	close(r.more)
	r.more = make(chan struct{})
}

// until waits until ok holds for how the candidates stand. ok must not keep what it is given.
func (r *record) until(ctx context.Context, what string, ok func(map[string]*standing) bool) error {
	for {
		r.mu.Lock()
		yes, more := ok(r.now), r.more
		r.mu.Unlock()
		if yes {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		}
	}
}

// of returns how a candidate stands.
func (r *record) of(id string) standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.now[id]; s != nil {
		return *s
	}
	return standing{}
}

// goneAt waits until somebody has seen that a znode is gone, and tells when.
func (r *record) goneAt(ctx context.Context, node string) (t int64, err error) {
	err = r.until(ctx, node+" is gone", func(map[string]*standing) bool {
		t = r.gone[node]
		return t != 0
	})
	return t, err
}

func (r *record) all() []history.Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]history.Line(nil), r.lines...)
}
