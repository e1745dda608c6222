package kerberos

import (
	"context"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A ticket for a server is used until it ends. In two cases another ticket is fetched earlier,
// because the server may have another key by now:
//
//   - A server has refused the ticket.
//   - A server has accepted the ticket before. Then it was presented again, and no server has
//     accepted it since. Servers of ZooKeeper 3.4 refuse a ticket without an answer. But the
//     connection may also have been cut.
//
// If the KDC does not soon issue another ticket, the former one is presented again, because it may
// be valid: servers before 3.9.3 sometimes refuse a valid ticket (ZOOKEEPER-4839).

// maxRefusals is the number of refusals in a row after which a ticket is not presented any more.
// When every server has refused the client three times, the session closes the client for good.
// That must not happen because the KDC cannot be reached.
const maxRefusals = 2

// A ticket is a service ticket: it is for one server.
type ticket struct {
	of     *identity
	ticket messages.Ticket
	key    types.EncryptionKey
	end    time.Time

	// Guarded by Login.mu.
	proven     bool // a server has accepted it
	unanswered bool // it was presented, and no server has accepted it since
	refusals   int  // since a server has accepted it
}

// usable reports whether the ticket may be presented for an identity. The caller holds Login.mu.
func (t *ticket) usable(who *identity) bool {
	return t != nil && t.of.is(who) && time.Now().Before(t.end) && t.refusals < maxRefusals
}

// doubtful reports whether another ticket should be fetched. The caller holds Login.mu.
func (t *ticket) doubtful() bool { return t.refusals > 0 || t.proven && t.unanswered }

func (l *Login) presented(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.unanswered = true
}

func (l *Login) accepted(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.proven, t.unanswered, t.refusals = true, false, 0
}

func (l *Login) refused(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.refusals++
}

// A supply is the ticket and the request for one server's principal. Login.mu guards it.
type supply struct {
	ticket *ticket // the latest; it may be unusable
	fetch  *fetch  // the latest
}

// look returns the ticket that can be presented to a server, or nil if there is none. If there is
// none, or if it is doubtful, look also returns the request for another ticket.
func (l *Login) look(name string) (*ticket, *fetch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return nil, nil, err
	}
	s := l.supplies[name]
	if s == nil {
		s = &supply{}
		l.supplies[name] = s
	}
	t := s.ticket
	if !t.usable(l.who) {
		t = nil
	}
	if t != nil && !t.doubtful() {
		return t, nil, nil
	}
	if s.fetch == nil || s.fetch.over() || s.fetch.of != l.who {
		l.begin(name, s)
	}
	return t, s.fetch, nil
}

// await waits for the ticket of a request. If there is a former ticket that can be presented
// instead, it waits half the time, so that the other half is left for the server.
func (f *fetch) await(ctx context.Context, former *ticket) {
	if end, ok := ctx.Deadline(); ok && former != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
}
