package line

import (
	"context"

	"github.com/zkrecipe/zkrecipe/session"
)

// A firstList is the list that a place asks for when its create has been sent, or at the latest when the
// create has been answered. A server answers the requests of a session in order. So the list comes right
// after the answer to the create, and joining takes one round trip less. If the connection is lost between
// the two, or the create has to be tried again, the list may lack the own znode. Then it tells nothing.
type firstList struct {
	sent     chan struct{} // gets a signal when the create has been sent, if a beat carries it
	answered chan struct{} // closed when it has been answered
	done     chan struct{} // closed when reading and err are there
	cancel   context.CancelFunc
	follows  bool // see Memory.follows
	record   bool // whether the record is read, too
	reading  reading
	err      error
}

// askFirst asks for the list as soon as the create is sent, in the background, unless ctx ends or stop is
// called before.
func askFirst(ctx context.Context, s *session.Session, cfg Config) *firstList {
	ctx, cancel := context.WithCancel(ctx)
	follows, behind := cfg.Memory.follows(s, cfg.Clock.Now())
	l := &firstList{
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

// stop cancels the reading of the list if it has not ended, and waits until nothing of it is left running.
func (l *firstList) stop() {
	l.cancel()
	<-l.done
}

// created returns the list. It is called when the create has been answered.
func (l *firstList) created() (reading, error) {
	close(l.answered)
	<-l.done
	return l.reading, l.err
}
