package zktest

import "time"

// Direction is one way of a client's connection.
type Direction int

// The two ways.
const (
	ToServer Direction = iota // requests
	ToClient                  // replies and watch events
)

// String says where the frames go.
func (d Direction) String() string {
	if d == ToServer {
		return "to server"
	}
	return "to client"
}

// impair is what a fault does to one direction.
type impair struct {
	hold   bool          // everything waits, as on a network that is down
	drop   bool          // frames vanish
	delay  time.Duration // frames arrive later, in order
	jitter time.Duration // and later still by a random part of this
}

func (a impair) plus(b impair) impair {
	return impair{a.hold || b.hold, a.drop || b.drop, a.delay + b.delay, a.jitter + b.jitter}
}

// flow is one direction of a connection, or one direction between two servers: a queue whose items
// arrive in order, each at its own instant.
type flow struct {
	e     *Ensemble
	state func() impair // asked whenever it matters
	queue queue[arrival]
	last  time.Duration // arrival of the newest item
	wake  *event
	lost  bool // something has been dropped
	dead  bool
}

type arrival struct {
	at time.Duration
	fn func()
}

// send queues fn for arrival. Whether it is dropped is decided here. Whether it is held is decided
// when it is due.
func (f *flow) send(fn func()) {
	st := f.state()
	switch {
	case f.dead:
		return
	case st.drop:
		f.lost = true
		return
	}
	at := max(f.e.now+st.delay+f.e.random(st.jitter), f.last)
	f.last = at
	f.queue.push(arrival{at, fn})
	f.pump()
}

// torn reports whether something was dropped, and what comes next would follow on that.
func (f *flow) torn() bool { return f.lost && !f.state().drop }

// pump lets everything arrive that is due and not held.
func (f *flow) pump() {
	for f.queue.len() > 0 && !f.dead && !f.state().hold {
		if at := f.queue.oldest().at; at > f.e.now {
			f.wakeAt(at)
			return
		}
		f.e.soon(f.queue.pop().fn)
	}
}

func (f *flow) wakeAt(at time.Duration) {
	if f.wake != nil && f.wake.fn != nil {
		return // one is pending, and the head never gets earlier
	}
	f.wake = f.e.at(at, func() {
		f.wake = nil
		f.pump()
	})
}

// stop forgets what has not arrived.
func (f *flow) stop() {
	f.dead = true
	f.queue = queue[arrival]{}
	f.wake.cancel()
}
