package line

import (
	"context"

	"github.com/zkrecipe/zkrecipe/session"
)

// An earlyList is the list that a place asks for when its create has been sent, at the latest when that has been answered.
// A server answers the requests of a session in order. So the list comes right behind the answer of the create, and
// joining takes one round trip less. If the list was answered before the create all the same, it lacks the own znode: then it tells nothing.
type earlyList struct {
	sent     chan struct{} // has a signal when the create has been sent
	answered chan struct{} // closed when it has been answered
	done     chan struct{} // closed when reading and err are there
	cancel   context.CancelFunc
	follows  bool // another place of the caller stood in the line just before
	record   bool // it is read, too
	reading  reading
	err      error
}

// askEarly waits until the create is sent, in the background, and lists the line.
func askEarly(ctx context.Context, s *session.Session, cfg Config) *earlyList {
	ctx, cancel := context.WithCancel(ctx)
	follows, behind := cfg.Memory.follows(s, cfg.Clock.Now())
	l := &earlyList{
		sent: make(chan struct{}, 1), answered: make(chan struct{}), done: make(chan struct{}), cancel: cancel,
		follows: follows, record: !follows || behind,
	}
	go func() {
		defer close(l.done)
		select {
		case <-l.sent:
		case <-l.answered:
		case <-ctx.Done():
			l.err = context.Cause(ctx)
			return
		}
		l.reading, l.err = read(ctx, cfg.Clock, s, cfg.Dir, l.record)
	}()
	return l
}

// created returns the list when the own znode has been created.
func (l *earlyList) created() (reading, error) {
	close(l.answered)
	<-l.done
	return l.reading, l.err
}
