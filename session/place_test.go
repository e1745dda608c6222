package session_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// A place is a session's own znode with a Hold. Like every recipe, it reads the znode again each
// time the watch on it has fired.
type place struct {
	path  string
	own   *session.Watch
	hold  *session.Hold
	wake  chan struct{} // from the session
	told  chan struct{} // each of its signals, passed on
	stop  chan struct{}
	ended chan struct{}
}

// hold creates a place in dir, and dir, and begins to hold the place.
func hold(t testing.TB, s *session.Session, dir string) *place {
	t.Helper()
	must(t, s.EnsurePath(within(t, hang), dir, nil))
	path, err := s.CreatePlace(within(t, hang), dir, "latch-", []byte("me"), nil)
	must(t, err)
	return keep(t, s, path)
}

// keep begins to hold a znode that exists.
func keep(t testing.TB, s *session.Session, path string) *place {
	p := &place{path: path, wake: make(chan struct{}, 1), told: make(chan struct{}, 1),
		stop: make(chan struct{}), ended: make(chan struct{})}
	p.own = s.Watch(path, p.wake)
	p.hold = s.Hold(p.own, p.wake)
	go p.arm(t, s)
	return p
}

// arm leaves a watch on the znode, again and again.
func (p *place) arm(t testing.TB, s *session.Session) {
	defer close(p.ended)
	for {
		if !p.own.Armed() && !p.own.Deleted() {
			p.own.Get(t.Context()) // a signal says when to look again
		}
		select {
		case p.told <- struct{}{}:
		default:
		}
		select {
		case <-p.wake:
		case <-p.stop:
			return
		case <-s.Done():
			return
		}
	}
}

// release ends the Hold and the Watch.
func (p *place) release() {
	p.hold.Release()
	p.own.Stop()
	close(p.stop)
	<-p.ended
}

// lease waits until a lease runs.
func (p *place) lease(t testing.TB) *session.Lease {
	t.Helper()
	p.await(t, "a lease", func() bool { return p.hold.Lease() != nil || p.hold.Err() != nil })
	l := p.hold.Lease()
	if l == nil {
		t.Fatalf("no lease: %v", p.hold.Err())
	}
	return l
}

// failed waits until the place cannot be held any longer.
func (p *place) failed(t testing.TB) error {
	t.Helper()
	p.await(t, "an error", func() bool { return p.hold.Err() != nil })
	return p.hold.Err()
}

// await waits for a condition that the place's signals report.
func (p *place) await(t testing.TB, what string, is func() bool) {
	t.Helper()
	timeout := time.After(hang)
	for !is() {
		select {
		case <-p.told:
		case <-timeout:
			t.Fatalf("%s: no %s", p.path, what)
		}
	}
}

// held returns a place in /election that has a lease.
func held(t testing.TB, s *session.Session) (*place, *session.Lease) {
	t.Helper()
	p := hold(t, s, "/election")
	return p, p.lease(t)
}
